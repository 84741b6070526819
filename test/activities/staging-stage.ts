import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asyncLocalStorage, CancelledFailure, Context as ActivityContext } from '@temporalio/activity';
import { vi } from 'vitest';
import { createActivities } from '../../activities/index.js';
import type { DeploymentFile } from '../../model/deployment.js';
import type { Sandbox } from '../../scripts/sandbox/cluster.js';

type All = ReturnType<typeof createActivities>;

const unasked = (): never => {
  throw new Error('no operation is to be asked here');
};

/** The activities of a worker, of `orders`, without Temporal: each call is an attempt of its own. */
export class StagingStage implements AsyncDisposable {
  readonly order = { deployment: 'orders', operation: 'orders/run' };
  readonly acts: All;
  #attempts = 0;

  private constructor(
    readonly root: string,
    readonly cluster: Sandbox,
  ) {
    this.acts = createActivities({
      ...{ deployments: this.deployments, state: join(root, 'state'), searchable: false },
      ...{ collectReport: unasked, collectRoot: unasked, fateOf: unasked },
    });
  }

  static async open(cluster: Sandbox): Promise<StagingStage> {
    const root = await mkdtemp(join(tmpdir(), 'redis-rollout-copy-'));
    await mkdir(join(root, 'deployments'));
    vi.stubEnv('ROLLOUT_TEST_BACKUP_KEY', randomBytes(32).toString('base64'));
    return new StagingStage(root, cluster);
  }

  get deployments(): string {
    return join(this.root, 'deployments');
  }
  get copyFile(): string {
    return join(this.deployments, 'orders-staging.yaml');
  }
  get directory(): string {
    return join(this.root, 'copy');
  }

  async deploy(
    staging: DeploymentFile['staging'] = {},
    { policy = {}, ...more }: Partial<Pick<DeploymentFile, 'policy' | 'checks'>> = {},
  ): Promise<void> {
    const file: DeploymentFile = {
      ...{ name: 'orders', topology: 'cluster', platform: { kind: 'process' } },
      seeds: this.cluster.nodes.map(({ address }) => address),
      backup: {
        ...{ directory: join(this.root, 'backups'), encryption: { key: 'env:ROLLOUT_TEST_BACKUP_KEY' } },
        target: { kind: 'folder', folder: join(this.root, 'target') },
      },
      staging: { ...staging, directory: this.directory },
      policy,
      ...more,
    };
    await writeFile(join(this.deployments, 'orders.yaml'), JSON.stringify(file));
  }

  /** As an attempt that a worker was given; it is cancelled by the signal. */
  attempt<T>(act: (acts: All) => Promise<T>, signal: AbortSignal = new AbortController().signal): Promise<T> {
    const attempt = ++this.#attempts;
    const info = {
      ...{ activityType: 'any', activityId: String(attempt), attempt, heartbeatTimeoutMs: 10_000 },
      ...{ workflowExecution: { runId: 'run', workflowId: 'w' }, currentAttemptScheduledTimestampMs: Date.now() },
    };
    const bare = Object.create(ActivityContext.prototype) as ActivityContext;
    const context = Object.assign(bare, { info, cancellationSignal: signal, heartbeat: () => undefined });
    return asyncLocalStorage.run(context, () => act(this.acts));
  }

  /** @returns its id; proven on wish */
  async backUp({ proven }: { proven: boolean }): Promise<string> {
    const { order } = this;
    const backup = '20261130T120000Z-00aa11bb';
    const startedAt = new Date().toISOString();
    const { shards } = await this.attempt((acts) => acts.beginBackup(order));
    const sealed = await Promise.all(
      shards.map((shard) => this.attempt((acts) => acts.sealShard({ ...order, ...shard, backup }))),
    );
    await this.attempt((acts) => acts.endBackup({ ...order, backup, startedBy: 'ana', startedAt, shards: sealed }));
    if (proven) {
      const loaded = sealed.map(({ shard, keys }) => ({ shard, keys, tookMs: 1 }));
      const verdict = { backup, at: startedAt, result: 'restored' as const, shards: loaded };
      await this.attempt((acts) => acts.recordVerdict({ ...order, verdict }));
    }
    return backup;
  }

  /** What a copy would leave: folders, files, and servers that work in one of them. */
  async left(): Promise<string[]> {
    const found = [this.directory, this.copyFile].filter((it) => existsSync(it));
    for (const pid of (await readdir('/proc')).filter((it) => /^\d+$/.test(it))) {
      // Of a folder that is gone it is the path that it had.
      const folder = await readlink(`/proc/${pid}/cwd`).catch(() => '');
      if (folder.startsWith(`${this.directory}/`)) found.push(folder);
    }
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.attempt((acts) => acts.removeCopy(this.order)).catch(() => undefined);
    vi.unstubAllEnvs();
    await rm(this.root, { recursive: true, force: true });
  }
}

/** What Temporal cancels an attempt with, whose workflow wants no more of it. */
export const cancelled = (): CancelledFailure => new CancelledFailure('CANCELLED');
