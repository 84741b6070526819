import { setTimeout as sleep } from 'node:timers/promises';
import { listDeployments, loadDeployment } from '../../integrations/deployment-files.js';
import type { SlackSettings } from '../../integrations/notify/slack-client.js';
import { openSocket } from '../../integrations/notify/slack-socket.js';
import { readSigningKey } from '../../integrations/signing-key.js';
import { connectTemporal } from '../client.js';
import { approvalsServer, listenAt } from './server.js';
import { SlackAnswers } from './slack-answers.js';
import { DeploymentWatch } from './watch-deployment.js';

export interface ApprovalsOptions {
  /** Folder of the deployment files. */
  deployments: string;
  /** What was told is kept below it, in `_approvals`. */
  state: string;
  /** `host:port` where answers are taken by HTTP; nowhere by default. */
  listen?: string | undefined;
  /** Reference of the key that answers are signed with. */
  key?: string | undefined;
  /** Between two looks, ms. */
  intervalMs: number;
  /** Ends it. */
  signal: AbortSignal;
  warn: (message: string) => void;
  /** Called once it is ready. */
  onReady: (ready: { address: string; namespace: string; port?: number; publicKey?: string }) => void;
}

/** How long looks that are under way may take when it is ended, ms. */
const LAST_LOOKS_MS = 3000;

/**
 * Tells people what operations do and ask, and hands on what they answer, until it is ended. It keeps nothing that an operation
 * needs: while it is away nobody is told, and everything goes on.
 *
 * @throws RolloutError NoTemporal, BadInput, Unauthorized
 */
export async function runApprovals(options: ApprovalsOptions): Promise<void> {
  const { deployments, state, listen, key, intervalMs, signal, warn, onReady } = options;
  const publicKey = key === undefined ? undefined : (await readSigningKey(key)).publicKey;
  await using temporal = await connectTemporal();
  const { client, connection, address, namespace } = temporal;
  const answers = { client, connection, deployments, key };
  const slackAnswers = new SlackAnswers(answers, warn);
  const server =
    listen === undefined ? undefined : await listenAt(approvalsServer({ ...answers, slackAnswers, warn }), listen);
  const sockets = new Sockets(slackAnswers, warn);
  const watches = new Map<string, DeploymentWatch>();
  try {
    onReady({
      ...{ address, namespace },
      ...(server ? { port: server.port } : {}),
      ...(publicKey === undefined ? {} : { publicKey }),
    });
    while (!signal.aborted) {
      const names = await listDeployments(deployments);
      await sockets.keep(names, deployments);
      // Each by itself: a deployment that no worker answers for holds up no other.
      for (const name of names) {
        const watch = watches.get(name) ?? new DeploymentWatch(name, { client, deployments, state, namespace, warn });
        watches.set(name, watch);
        void watch.look(Date.now());
      }
      await sleep(intervalMs, undefined, { signal }).catch(() => undefined);
    }
  } finally {
    await Promise.race([Promise.all([...watches.values()].map((it) => it.settled)), sleep(LAST_LOOKS_MS)]);
    await sockets.close();
    await server?.close();
  }
}

/** One connection to Slack for each app that deployments name. */
class Sockets {
  readonly #open = new Map<string, { close: () => Promise<void> }>();

  constructor(
    private readonly answers: SlackAnswers,
    private readonly warn: (message: string) => void,
  ) {}

  /** Opens those that are missing, and closes those that no file names any more. */
  async keep(names: readonly string[], deployments: string): Promise<void> {
    const wanted = new Map<string, SlackSettings>();
    for (const name of names) {
      // A broken file is said by whoever looks at its operations.
      const slack = await loadDeployment(name, deployments).then(
        ({ notify }) => notify.slack,
        () => undefined,
      );
      if (slack?.appToken !== undefined) wanted.set(keyOf(slack), slack);
    }
    for (const [key, slack] of wanted)
      if (!this.#open.has(key)) {
        const take = (payload: unknown): Promise<void> =>
          this.answers.take(payload, (settings) => settings.appToken !== undefined && keyOf(settings) === key);
        this.#open.set(key, openSocket(slack, take, this.warn));
      }
    for (const [key, socket] of this.#open)
      if (!wanted.has(key)) {
        this.#open.delete(key);
        await socket.close();
      }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open.values()].map((it) => it.close()));
  }
}

const keyOf = ({ appToken, url }: SlackSettings): string => `${appToken ?? ''} ${url}`;
