import { setTimeout as sleep } from 'node:timers/promises';
import { resolveSecret } from '../secrets.js';
import { silence, type SlackSettings } from './slack-client.js';

/** Between two attempts to connect, ms: twice as long after each that failed. */
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;

/**
 * Interactions by Socket Mode: we connect to Slack, and nothing of ours has to be reachable from outside. Slack ends each
 * connection after some hours; it is made again until it is closed. Not by the library itself: its attempt to connect again fails
 * outside of everything that could be caught, and takes the process with it.
 *
 * @see https://docs.slack.dev/apis/events-api/using-socket-mode
 * @param take is given each interaction once it was acknowledged; must not reject
 */
export function openSocket(
  { appToken = '', url }: Pick<SlackSettings, 'appToken' | 'url'>,
  take: (payload: unknown) => Promise<void>,
  warn: (message: string) => void,
): { close: () => Promise<void> } {
  const closing = new AbortController();
  const { signal } = closing;

  /** Until it ends. */
  async function connectOnce(): Promise<void> {
    const { LogLevel, SocketModeClient } = await import('@slack/socket-mode');
    const client = new SocketModeClient({
      appToken: await resolveSecret(appToken),
      autoReconnectEnabled: false,
      logger: silence(LogLevel.ERROR),
      clientOptions: { slackApiUrl: url.endsWith('/') ? url : `${url}/`, retryConfig: { retries: 0 } },
    });
    client.on('interactive', ({ ack, body }: { ack: () => Promise<void>; body: unknown }) => {
      // Within three seconds, whatever comes of it.
      void ack()
        .catch(() => undefined)
        .then(() => take(body));
    });
    const seen = { connected: false };
    client.once('connected', () => (seen.connected = true));
    const ended = new Promise<void>((resolve) => {
      client.once('disconnected', () => resolve());
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    try {
      await Promise.race([client.start(), ended]);
      await ended;
      if (!seen.connected && !signal.aborted) throw new Error('the connection was refused');
    } finally {
      await Promise.race([client.disconnect().catch(() => undefined), sleep(1000)]);
    }
  }

  async function keep(): Promise<void> {
    for (let failures = 0; !signal.aborted;) {
      try {
        await connectOnce();
        failures = 0;
      } catch (error) {
        failures++;
        const reason = error instanceof Error ? error.message : String(error);
        if (failures === 1) warn(`Slack’s Socket Mode: ${reason}; it is tried again`);
      }
      const pause = Math.min(FIRST_PAUSE_MS * 2 ** failures, LONGEST_PAUSE_MS);
      await sleep(pause, undefined, { signal }).catch(() => undefined);
    }
  }
  const kept = keep();
  return {
    async close() {
      closing.abort();
      await kept;
    },
  };
}
