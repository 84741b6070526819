import { isOpen } from '../../model/notifications/events.js';
import type { DestinationOf } from '../../model/notify-policy.js';
import type { Channel, Memory, Outgoing } from './channel.js';
import { blocksOf, escape } from './slack-blocks.js';
import { SlackClient, type SlackMessage, type SlackSettings } from './slack-client.js';

/** The message of a run that all but its questions are answers to. */
const ROOT = 'root';

/**
 * A channel of Slack. A run has one message, which says how it stands, and a thread below it; a question is a message of its
 * own, which later says what was decided.
 */
export function slackChannel({ channel }: DestinationOf<'slack'>, settings: SlackSettings): Channel {
  const buttons = settings.signingSecret !== undefined || settings.appToken !== undefined;
  const open = (): Promise<SlackClient> => SlackClient.open(settings);

  /** Once: what was on its way when somebody died is looked for before it is posted again. */
  async function post(
    client: SlackClient,
    id: string,
    key: string,
    message: SlackMessage,
    memory: Memory,
  ): Promise<string> {
    const known = memory.get(key);
    if (known?.ref !== undefined) return known.ref;
    const { since } = known ?? { since: new Date().toISOString() };
    const arrived = known && (await client.find(channel, id, since, message.thread).catch(unlessForbidden));
    if (!known) await memory.put(key, { since });
    const ref = arrived ?? (await client.post(message, id));
    await memory.put(key, { since, ref, shown: message.text });
    return ref;
  }

  async function thread(client: SlackClient, { status, run }: Outgoing, memory: Memory): Promise<string> {
    const text = standText(status);
    const message = { channel, text };
    const id = `${run}/${channel}`;
    const ref = await post(client, id, ROOT, message, memory);
    const known = memory.get(ROOT);
    if (known && known.shown !== text) {
      await client.update(ref, message, id).catch(unlessGone);
      await memory.put(ROOT, { ...known, shown: text });
    }
    return ref;
  }

  return {
    async send(outgoing, memory) {
      const { event, messageId, message } = outgoing;
      const client = await open();
      const root = await thread(client, outgoing, memory);
      if (event.kind === 'question') await question(client, outgoing, memory);
      else if (event.kind === 'progress')
        await post(client, messageId, event.id, { channel, text: escape(message.text), thread: root }, memory);
      else {
        const blocks = blocksOf(outgoing, { buttons });
        await post(client, messageId, event.id, { channel, text: escape(message.title), blocks, thread: root }, memory);
      }
    },
    async refresh(outgoing, memory) {
      await question(await open(), outgoing, memory);
    },
  };

  async function question(client: SlackClient, outgoing: Outgoing, memory: Memory): Promise<void> {
    const { event, messageId, message } = outgoing;
    const { state, answers } = event.question ?? { state: '', answers: [] };
    // What changes it is an answer, and its end; the gates beside it are as they were when it was asked.
    const shown = JSON.stringify([state, answers.map(({ by }) => by)]);
    const known = memory.get(event.id);
    if (known?.shown === shown) return;
    const text = escape(isOpen(event) ? message.title : `${message.title.replace(/: an answer.*/, '')}: ${state}`);
    const now: SlackMessage = { channel, text, blocks: blocksOf(outgoing, { buttons }) };
    const isNew = known?.ref === undefined;
    const ref = await post(client, messageId, event.id, now, memory);
    if (!isNew) await client.update(ref, now, messageId).catch(unlessGone);
    await memory.put(event.id, { since: known?.since ?? event.at, ref, shown });
  }
}

/** `orders: upgrade 5.0.6 → 8.0.2, rolling shards, 3 of 6 nodes` */
function standText({ deployment, operation, from, to, phase, progress }: Outgoing['status']): string {
  const way = from === '' || to === '' ? '' : ` ${from} → ${to}`;
  const nodes = progress.nodes === 0 ? '' : `, ${progress.upgraded} of ${progress.nodes} nodes`;
  return escape(`${deployment}: ${operation}${way}, ${phase}${nodes}`);
}

/** An app that may not read the channel can't look: then a message may come twice, which is better than never. */
function unlessForbidden(error: unknown): undefined {
  if (error instanceof Error && /missing_scope|not_in_channel|no_permission/.test(error.message)) return undefined;
  throw error;
}

/** Somebody has removed it: there is nothing to bring up to date. */
function unlessGone(error: unknown): void {
  if (!(error instanceof Error) || !/message_not_found|cant_update_message|edit_window_closed/.test(error.message))
    throw error;
}
