import type { KnownBlock, Logger, LogLevel, WebClient } from '@slack/web-api';
import type { Notify } from '../../model/notify-policy.js';
import { resolveSecret } from '../secrets.js';
import { Undelivered } from './undelivered.js';

export type SlackSettings = NonNullable<Notify['slack']>;

export interface SlackMessage {
  channel: string;
  /** For notifications, and where blocks can't be shown. */
  text: string;
  blocks?: KnownBlock[];
  /** `ts` of the message that it answers. */
  thread?: string;
}

/** A member of the workspace, as far as it matters who that is. */
export interface SlackMember {
  email?: string;
  /** Why what this member says doesn't count: it was deactivated, is a bot, or of another workspace. */
  problem?: string;
}

/** What Slack's library would log it throws as well, and standard output is for answers. */
export const silence = (level: LogLevel): Logger => ({
  ...{ debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined },
  ...{ setLevel: () => undefined, setName: () => undefined, getLevel: () => level },
});

/** How a message carries its own id, so that it is found again: https://api.slack.com/reference/metadata */
const METADATA = 'redis_rollout';
/** Slack's answers take less than a second, ms. */
const DEADLINE_MS = 10_000;
/** Clocks here and there, ms. */
const CLOCKS_MS = 60_000;

/** Slack's Web API, as far as it is needed. Tries nothing again by itself: whoever calls does, and goes on with others meanwhile. */
export class SlackClient {
  private constructor(private readonly web: WebClient) {}

  /** The token is read each time: one that was renewed is taken up. */
  static async open({ token, url }: Pick<SlackSettings, 'token' | 'url'>): Promise<SlackClient> {
    const { LogLevel, WebClient } = await import('@slack/web-api');
    const slackApiUrl = url.endsWith('/') ? url : `${url}/`;
    return new SlackClient(
      new WebClient(await resolveSecret(token), {
        ...{ slackApiUrl, timeout: DEADLINE_MS, logger: silence(LogLevel.ERROR) },
        ...{ retryConfig: { retries: 0 }, rejectRateLimitedCalls: true },
      }),
    );
  }

  /** @returns `ts` of the message */
  async post({ channel, text, blocks, thread }: SlackMessage, id: string): Promise<string> {
    const { ts } = await this.#call(() =>
      this.web.chat.postMessage({
        ...{ channel, text, unfurl_links: false, unfurl_media: false },
        metadata: { event_type: METADATA, event_payload: { id } },
        ...(blocks ? { blocks } : {}),
        ...(thread === undefined ? {} : { thread_ts: thread }),
      }),
    );
    if (ts === undefined) throw new Undelivered('Slack took a message and did not say where it is');
    return ts;
  }

  async update(ts: string, { channel, text, blocks }: SlackMessage, id: string): Promise<void> {
    await this.#call(() =>
      this.web.chat.update({
        ...{ channel, ts, text, blocks: blocks ?? [] },
        metadata: { event_type: METADATA, event_payload: { id } },
      }),
    );
  }

  /** Said to one person, who alone sees it. */
  async whisper(channel: string, user: string, text: string): Promise<void> {
    await this.#call(() => this.web.chat.postEphemeral({ channel, user, text }));
  }

  /** `ts` of the message that carries this id, if it has arrived. `since`: when it was sent, ISO 8601. */
  async find(channel: string, id: string, since: string, thread?: string): Promise<string | undefined> {
    const oldest = String((Date.parse(since) - CLOCKS_MS) / 1000);
    const asked = { channel, oldest, include_all_metadata: true, limit: 200 };
    let cursor: string | undefined;
    do {
      const page = cursor === undefined ? {} : { cursor };
      const { messages = [], response_metadata: next } = await this.#call(async () =>
        thread === undefined
          ? this.web.conversations.history({ ...asked, ...page })
          : this.web.conversations.replies({ ...asked, ...page, ts: thread }),
      );
      const found = messages.find(({ metadata }) => idIn(metadata) === id);
      if (found?.ts !== undefined) return found.ts;
      cursor = next?.next_cursor === '' ? undefined : next?.next_cursor;
    } while (cursor !== undefined);
    return undefined;
  }

  async member(user: string): Promise<SlackMember> {
    const { user: found } = await this.#call(() => this.web.users.info({ user }));
    if (!found) return { problem: 'Slack knows no such member' };
    const { deleted, is_bot: bot, is_stranger: stranger, profile } = found;
    const problem = deleted
      ? 'the account in Slack is deactivated'
      : bot
        ? 'it is a bot'
        : stranger
          ? 'the account is of another workspace'
          : undefined;
    return {
      ...(profile?.email === undefined ? {} : { email: profile.email }),
      ...(problem === undefined ? {} : { problem }),
    };
  }

  async #call<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      throw undelivered(error);
    }
  }
}

const idIn = (metadata: { event_type?: string; event_payload?: object } | undefined): unknown =>
  metadata?.event_type === METADATA ? (metadata.event_payload as { id?: unknown } | undefined)?.id : undefined;

/** https://tools.slack.dev/node-slack-sdk/web-api#handle-errors */
function undelivered(error: unknown): Undelivered {
  if (error instanceof Undelivered) return error;
  const { message, data, retryAfter } = error as Error & {
    data?: { error?: string; needed?: string };
    retryAfter?: number;
  };
  const wait = retryAfter === undefined ? undefined : retryAfter * 1000;
  const needed = data?.needed === undefined ? '' : ` (needed: ${data.needed})`;
  return new Undelivered(`Slack: ${data?.error ?? message}${needed}`, wait, { cause: error });
}
