import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asyncLocalStorage, Context as ActivityContext } from '@temporalio/activity';
import { openToAct } from '../../../activities/acting.js';
import { platformFor, platformNode, type Context } from '../../../activities/context.js';
import { hiddenBy, readRegistry, type StandbyEntry } from '../../../activities/standby-registry.js';
import { parseDeployment } from '../../../model/deployment-file.js';
import { at, connect } from '../../../redis/connection.js';
import { processesIn } from '../../../platforms/process/processes.js';
import type { Sandbox } from '../../../scripts/sandbox/cluster.js';

/** A worker's state folder beside a cluster; each attempt is given a context of its own, as an activity is. */
export class StandbyStage implements AsyncDisposable {
  #epoch = 0;

  private constructor(
    readonly cluster: Sandbox,
    readonly state: string,
  ) {}

  /** @param state the deployment's folder in a worker's state folder, by default one of its own */
  static async open(cluster: Sandbox, state?: string): Promise<StandbyStage> {
    return new StandbyStage(cluster, state ?? (await mkdtemp(join(tmpdir(), 'redis-rollout-standby-'))));
  }

  get primary(): string {
    return this.cluster.nodes[0]?.address ?? '';
  }

  async attempt(): Promise<Context> {
    const deployment = parseDeployment(
      `name: orders
topology: cluster
seeds: ${JSON.stringify(this.cluster.nodes.map(({ address }) => address))}
platform: { kind: process }
backup: { directory: ${join(this.state, 'backups')} }
`,
      'orders.yaml',
    );
    const endpoint = { ...this.cluster.endpoint(), ...hiddenBy(await readRegistry(this.state)) };
    const platform = platformFor(deployment);
    const token = { epoch: ++this.#epoch, holder: `attempt-${this.#epoch}` };
    const look: Context['connect'] = (address) => connect(at(endpoint, address));
    return {
      ...{ deployment, endpoint, platform, folder: this.state, deploymentFolder: this.state, token },
      signal: new AbortController().signal,
      connect: look,
      connectToAct: (place) =>
        openToAct(
          token,
          () => look(place.address),
          () => platform.fence(platformNode(place), token),
        ),
    };
  }

  standbys(): Promise<StandbyEntry[]> {
    return readRegistry(this.state);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { home } of this.cluster.nodes)
      for (const { pid } of await processesIn(`${home}-standby`, [])) process.kill(pid, 'SIGKILL');
    await rm(this.state, { recursive: true, force: true });
  }
}

/** As an activity's attempt, of which verification and notes want to know which it is. */
export function asActivity<T>(act: () => Promise<T>): Promise<T> {
  const info = { workflowExecution: { runId: 'run', workflowId: 'w' }, activityId: '1', attempt: 1 };
  const context = Object.assign(Object.create(ActivityContext.prototype) as ActivityContext, { info });
  return asyncLocalStorage.run(context, act);
}
