import { createHash } from 'node:crypto';
import type { Channel, Outgoing } from '../../integrations/notify/channel.js';
import { Undelivered } from '../../integrations/notify/undelivered.js';
import type { Deployment } from '../../model/deployment.js';
import { isOpen, notificationsOf, type Notification, type Seen } from '../../model/notifications/events.js';
import { messageOf } from '../../model/notifications/message.js';
import type { Route } from '../../model/notify-policy.js';
import { channelOf, routeKey } from './channels.js';
import type { Ledger } from './ledger.js';

/** What had happened so long before a run was seen first is no news, ms. */
const OLD_MS = 3_600_000;
/** For so long it is tried to tell: progress sooner forgotten than the rest, ms. */
const GIVE_UP_MS = 24 * 3_600_000;
const PROGRESS_GIVE_UP_MS = 3_600_000;
/** Between two attempts, ms: twice as long after each. */
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 300_000;

/** A run as it was looked at. */
export interface Look extends Seen {
  run: string;
  /** Of its page in the Temporal UI. */
  temporalUrl?: string | undefined;
}

/** Tells one route what there is to tell, in order. What fails is tried again by the next look, not sooner than is wanted. */
export class RouteDelivery {
  #busy = false;
  #failures = 0;
  #notBefore = 0;
  readonly #channel: Channel;
  readonly #key: string;

  constructor(
    readonly route: Route,
    deployment: Deployment,
    private readonly ledger: Ledger,
    private readonly warn: (message: string) => void,
  ) {
    this.#channel = channelOf(route.to, deployment.notify);
    this.#key = routeKey(route.to);
  }

  /**
   * @param now Unix ms
   * @returns whether nothing is left to tell of what was seen; never rejects: a message holds nothing up
   */
  async deliver(look: Look, deployment: Deployment, now: number): Promise<boolean> {
    if (this.#busy || now < this.#notBefore) return false;
    this.#busy = true;
    try {
      const seenAt = await this.ledger.see(look.run, now);
      await this.#all(look, deployment, now, seenAt);
      this.#failures = 0;
      return true;
    } catch (error) {
      this.#failures++;
      const pause = Math.min(FIRST_PAUSE_MS * 2 ** (this.#failures - 1), LONGEST_PAUSE_MS);
      const wait = Math.max(pause, error instanceof Undelivered ? (error.retryAfterMs ?? 0) : 0);
      this.#notBefore = now + wait;
      const reason = error instanceof Error ? error.message : String(error);
      if (this.#failures === 1) this.warn(`${deployment.name}: ${reason}; it is tried again`);
      return false;
    } finally {
      this.#busy = false;
    }
  }

  async #all(look: Look, deployment: Deployment, now: number, seenAt: number): Promise<void> {
    const { run } = look;
    const told = this.ledger.told(run, this.#key);
    const meant = notificationsOf(look, now, told).filter((it) => isMeant(it, this.route));
    const due = meant.filter((it) => !told.has(it.id) && isNews(it, now, seenAt));
    const memory = this.ledger.memory(run, this.#key);
    for (const events of together(due)) {
      await this.#channel.send(outgoingOf(events, look, deployment), memory);
      await this.ledger.tell(
        run,
        this.#key,
        events.map(({ id }) => id),
      );
    }
    if (!this.#channel.refresh) return;
    for (const event of meant)
      if (event.kind === 'question' && memory.get(event.id))
        await this.#channel.refresh(outgoingOf([event], look, deployment), memory);
  }
}

function isMeant({ kind, question }: Notification, { events, roles }: Route): boolean {
  if (!events.includes(kind)) return false;
  return roles === undefined || question === undefined || question.roles.some((role) => roles.includes(role));
}

function isNews(event: Notification, now: number, seenAt: number): boolean {
  // An answer that is needed is needed however late it is asked for; of a question that is decided the answer tells.
  if (event.kind === 'question') return isOpen(event);
  const at = Date.parse(event.at);
  const giveUp = event.kind === 'progress' ? PROGRESS_GIVE_UP_MS : GIVE_UP_MS;
  return at >= seenAt - OLD_MS && at >= now - giveUp;
}

/** Steps that were made since the last look are one message: chat takes one a second. */
function together(events: readonly Notification[]): Notification[][] {
  const groups: Notification[][] = [];
  for (const event of events) {
    const last = groups.at(-1);
    if (event.kind === 'progress' && last?.[0]?.kind === 'progress') last.push(event);
    else groups.push([event]);
  }
  return groups;
}

function outgoingOf(events: readonly Notification[], look: Look, { policy, staging }: Deployment): Outgoing {
  const { status, run, temporalUrl } = look;
  const [first] = events;
  if (!first) throw new Error('nothing to tell');
  const event: Notification =
    events.length === 1
      ? first
      : { ...first, title: `${events.length} steps`, text: events.map(({ text }) => text).join('\n') };
  return {
    messageId: `msg_${createHash('sha256').update(`${run}/${event.id}`).digest('hex').slice(0, 32)}`,
    event,
    message: messageOf(event, { status, policy, signOffs: staging.approvals, temporalUrl }),
    status,
    run,
  };
}
