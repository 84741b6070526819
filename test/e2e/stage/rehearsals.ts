import { existsSync } from 'node:fs';
import { readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { loadDeployment } from '../../../integrations/deployment-files.js';
import { StagingRecords } from '../../../integrations/staging-records.js';
import type { DeploymentFile } from '../../../model/deployment.js';
import { assumedShape } from '../../../model/load-shape.js';
import { backupWorkflowId, stagingWorkflowId, TASK_QUEUE, verifyBackupWorkflowId } from '../../../model/names.js';
import type { StagingRecord } from '../../../model/staging.js';
import { parseInfo } from '../../../redis/info.js';
import type { Sandbox } from '../../../scripts/sandbox/cluster.js';
import type { Stage } from '../../../scripts/sandbox/stage.js';
import { encryption } from './backups.js';

/** Seconds in the place of minutes, and little traffic. */
const short: NonNullable<DeploymentFile['staging']> = {
  benchmark: { rounds: 3, duration: '1s', warmUp: '200ms', requests: 500, connections: 1 },
  load: { ...assumedShape, keys: { ...assumedShape.keys, count: 300 }, ratePerSecond: 150 },
  soak: '1s',
};

/** Rehearsals of one deployment, `orders`. */
export class Rehearsals {
  constructor(
    readonly stage: Stage,
    readonly cluster: Sandbox,
  ) {}

  get directory(): string {
    return join(this.stage.root, 'copy');
  }

  deploy(staging: DeploymentFile['staging'] = {}, policy: DeploymentFile['policy'] = {}): Promise<void> {
    return this.stage.deploy('orders', this.cluster, {
      backup: {
        ...{ directory: join(this.stage.root, 'backups'), encryption },
        target: { kind: 'folder', folder: join(this.stage.root, 'target') },
      },
      staging: { ...short, directory: this.directory, ...staging },
      policy,
    });
  }

  #run(type: string, workflowId: string, more: object = {}) {
    return this.stage.client.workflow.start(type, {
      ...{ workflowId, taskQueue: TASK_QUEUE },
      args: [{ deployment: 'orders', startedBy: 'ana', ...more }],
    });
  }

  async backUp(): Promise<void> {
    await (await this.#run('backup', backupWorkflowId('orders'))).result();
    await (await this.#run('verifyBackup', verifyBackupWorkflowId('orders'))).result();
  }

  start(input: object) {
    return this.#run('staging', stagingWorkflowId('orders'), input);
  }

  async records(): Promise<StagingRecord[]> {
    const records = await StagingRecords.open(await loadDeployment('orders', this.stage.deployments));
    return (await records.newest(10)).filter((it) => 'format' in it);
  }

  /** Of each of its nodes, what a rehearsal must not change. */
  production(): Promise<unknown[]> {
    return Promise.all(
      this.cluster.nodes.map(async ({ address }) => {
        const info = parseInfo(String(await this.cluster.ask(address, 'INFO')));
        return [address, info['role'], info['run_id'], info['rdb_changes_since_last_save'], info['redis_version']];
      }),
    );
  }

  /** What a copy would leave: folders, files, and servers that work in one of them. */
  async left(): Promise<string[]> {
    const found = [this.directory, join(this.stage.deployments, 'orders-staging.yaml')].filter((it) => existsSync(it));
    for (const pid of (await readdir('/proc')).filter((it) => /^\d+$/.test(it))) {
      // Of a folder that is gone it is the path that it had.
      const folder = await readlink(`/proc/${pid}/cwd`).catch(() => '');
      if (folder.startsWith(`${this.directory}/`)) found.push(folder);
    }
    return found;
  }
}
