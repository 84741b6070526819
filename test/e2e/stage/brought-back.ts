import { randomBytes } from 'node:crypto';
import type { WorkflowHandle } from '@temporalio/client';
import { vi } from 'vitest';
import type { BackupManifest } from '../../../model/backup-manifest.js';
import type { RestoreResult } from '../../../model/backup-restore.js';
import { backupWorkflowId, operationId, TASK_QUEUE } from '../../../model/names.js';
import { Sandbox, until } from '../../../scripts/sandbox/cluster.js';
import { S3Server } from '../../../scripts/sandbox/s3-server.js';
import type { Stage } from '../../../scripts/sandbox/stage.js';
import type { Ended } from '../../../workflows/run.js';
import { inBucket, openBackupStage } from './backups.js';
import { StoreBetween } from './store-between.js';

const SMALL = 2000;
const LARGE = 60;
const ELEMENTS = 20_000;

export type Restored = Ended<RestoreResult> & RestoreResult;

/** A backup of `orders` in a store that can be disturbed, and the cluster that it was taken of, empty by now. */
export class BroughtBack implements AsyncDisposable {
  readonly keys = SMALL + LARGE + 1;

  private constructor(
    private readonly s3: S3Server,
    /** The way to the store. */
    readonly between: StoreBetween,
    readonly stage: Stage,
    readonly cluster: Sandbox,
    private readonly large: ReadonlyMap<string, string>,
    readonly manifest: BackupManifest,
  ) {}

  static async open(): Promise<BroughtBack> {
    const s3 = await S3Server.start();
    const between = await StoreBetween.to(s3.endpoint);
    const stage = await openBackupStage(s3);
    const cluster = await Sandbox.cluster({ release: '7.2', primaries: 1, replicasEach: 0 });
    const large = new Map(
      Array.from({ length: LARGE }, (_, i) => [`large:${i}`, randomBytes(50_000).toString('base64')]),
    );
    await using node = await cluster.connect();
    await node.pipeline(Array.from({ length: SMALL }, (_, i) => ['SET', `small:${i}`, i]));
    for (const [key, value] of large) await node.call('SET', key, value);
    // Built from pieces under another name, and then given its own.
    for (let i = 0; i < ELEMENTS; i += 1000)
      await node.call('RPUSH', 'list', ...Array.from({ length: 1000 }, () => randomBytes(20).toString('hex')));
    await stage.deploy('orders', cluster, { backup: inBucket(stage, s3, { endpoint: between.endpoint }) });
    const manifest = (await stage.client.workflow.execute('backup', {
      ...{ workflowId: backupWorkflowId('orders'), taskQueue: TASK_QUEUE, args: [{ deployment: 'orders' }] },
    })) as BackupManifest;
    await node.call('FLUSHALL');
    return new BroughtBack(s3, between, stage, cluster, large, manifest);
  }

  /** A deployment of another cluster, with the same store. */
  deploy(name: string, target: Sandbox): Promise<void> {
    return this.stage.deploy(name, target, {
      backup: inBucket(this.stage, this.s3, { endpoint: this.between.endpoint }),
    });
  }

  ask(...command: [string, ...(string | number)[]]): Promise<unknown> {
    return this.cluster.ask(this.cluster.nodes[0]?.address, ...command);
  }

  async size(): Promise<number> {
    return Number(await this.ask('DBSIZE'));
  }

  restore(deployment: string, more: object = {}): Promise<WorkflowHandle> {
    return this.stage.client.workflow.start('restore', {
      ...{ workflowId: operationId(deployment), taskQueue: TASK_QUEUE },
      args: [{ deployment, startedBy: 'ana', ...more }],
    });
  }

  /** Begun slowly, and some of it is written. */
  async halfway(): Promise<WorkflowHandle> {
    const running = await this.restore('orders', { rate: 400 });
    await until('some of it is written', async () => (await this.size()) > 300, 60_000);
    if ((await this.size()) >= this.keys) throw new Error('all of it is written already');
    return running;
  }

  /** Keys that are there and not as they were. */
  async notWhole(): Promise<string[]> {
    const keys = ((await this.ask('KEYS', '*')) as string[]).filter(
      (key) => !key.startsWith('redis-rollout-restores:'),
    );
    const whole = async (key: string): Promise<boolean> =>
      key === 'list'
        ? (await this.ask('LLEN', key)) === ELEMENTS
        : (await this.ask('GET', key)) === (this.large.get(key) ?? key.replace('small:', ''));
    const found: string[] = [];
    for (const key of keys) if (!(await whole(key))) found.push(key);
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stage[Symbol.asyncDispose]();
    await this.cluster[Symbol.asyncDispose]();
    await this.between[Symbol.asyncDispose]();
    await this.s3[Symbol.asyncDispose]();
    vi.unstubAllEnvs();
  }
}

export const restored = async (handle: WorkflowHandle): Promise<Restored> => (await handle.result()) as Restored;
