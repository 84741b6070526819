import type { Client } from '@temporalio/client';
import { ArchiveStore } from '../../integrations/archive-store.js';
import { BackupStore } from '../../integrations/backup-store.js';
import { loadDeployment } from '../../integrations/deployment-files.js';
import {
  archiveWorkflowId,
  assessmentWorkflowId,
  backupScheduleId,
  backupWorkflowId,
  copyName,
  drillScheduleId,
  drillWorkflowId,
  fallbackId,
  operationId,
  restorePlanWorkflowId,
  stagingWorkflowId,
  TASK_QUEUE,
  verifyBackupWorkflowId,
} from '../../model/names.js';
import { windowsOf } from '../../model/recovery.js';
import { findChildren } from '../../workers/read-operation.js';
import { until } from '../sandbox/cluster.js';
import type { History } from './recorded.js';
import { NAME } from './scenes.js';

type Named = readonly (readonly [string, History])[];

const takeBackup = (client: Client): Promise<History> => play(client, 'backup', backupWorkflowId(NAME));
const verifyBackup = (client: Client): Promise<History> => play(client, 'verifyBackup', verifyBackupWorkflowId(NAME));

/** What nobody steers, after all scenes: each by name, with what it leaves. */
export const unsteered: Readonly<Record<string, (client: Client, deployments: string) => Promise<Named>>> = {
  'backed-up': async (client) => [
    ['backup', await takeBackup(client)],
    ['verify-backup', await verifyBackup(client)],
    ...(await playSchedule(client)),
  ],
  'brought-back': async (client) => {
    await takeBackup(client);
    const how = { existing: 'replace', confirm: NAME };
    return [
      ['dry-run', await play(client, 'restore', restorePlanWorkflowId(NAME), { dryRun: true })],
      ['restore', await play(client, 'restore', operationId(NAME), how)],
    ];
  },
  drilled: async (client) => {
    await takeBackup(client);
    return [
      ['drill', await play(client, 'drDrill', drillWorkflowId(NAME), { sample: 2 })],
      ['scheduled-drill', await play(client, 'scheduledDrill', `${drillScheduleId(NAME)}-recorded`)],
    ];
  },
  archived: playArchive,
  assessed: async (client) => [
    ['assess', await play(client, 'assess', assessmentWorkflowId(NAME), { to: '8.0', over: '2s', monitor: '1s' })],
  ],
  rehearsed: async (client) => {
    await takeBackup(client);
    await verifyBackup(client);
    return playRehearsal(client);
  },
};

/** One workflow to its end. */
async function play(
  { workflow }: Client,
  type: 'backup' | 'verifyBackup' | 'restore' | 'drDrill' | 'scheduledDrill' | 'assess',
  workflowId: string,
  more: object = {},
): Promise<History> {
  const args = [{ deployment: NAME, startedBy: 'cleo', ...more }];
  const handle = await workflow.start(type, { workflowId, taskQueue: TASK_QUEUE, args });
  await handle.result();
  return handle.fetchHistory();
}

/** What a schedule starts, and its last child, which removes the backup from before. */
async function playSchedule({ workflow }: Client): Promise<[string, History][]> {
  const workflowId = `${backupScheduleId(NAME, 'daily')}-recorded`;
  const args = [{ deployment: NAME, tier: 'daily' }];
  const handle = await workflow.start('scheduledBackup', { workflowId, taskQueue: TASK_QUEUE, args });
  await handle.result();
  return [
    ['scheduled-backup', await handle.fetchHistory()],
    ['prune-backups', await workflow.getHandle(`${workflowId}/prune`).fetchHistory()],
  ];
}

/** It is begun, takes the backup that it needs, is asked for a point, and stopped. */
async function playArchive({ workflow }: Client, deployments: string): Promise<[string, History][]> {
  const args = [{ deployment: NAME, startedBy: 'cleo' }];
  const archive = await workflow.start('archive', { workflowId: archiveWorkflowId(NAME), taskQueue: TASK_QUEUE, args });
  const described = await loadDeployment(NAME, deployments);
  const [backups, store] = [await BackupStore.open(described), await ArchiveStore.open(described)];
  let point = Infinity;
  await until(
    'a point can be had',
    async () => {
      const [newest] = windowsOf((await backups.manifests()).slice(0, 1), await store.segments());
      if (newest && newest.to > newest.from) point = newest.to;
      return Number.isFinite(point);
    },
    60_000,
  );
  const workflowId = verifyBackupWorkflowId(NAME);
  const verify = await workflow.start('verifyBackup', {
    ...{ workflowId, taskQueue: TASK_QUEUE },
    args: [{ deployment: NAME, startedBy: 'cleo', at: new Date(point).toISOString() }],
  });
  await verify.result();
  await archive.cancel();
  await archive.result().catch(() => undefined);
  return [
    ['archive', await archive.fetchHistory()],
    ['verify-point', await verify.fetchHistory()],
  ];
}

/** Of its family, an upgrade that is not Temporal's root, and the fallback within it. */
async function playRehearsal({ workflow }: Client): Promise<[string, History][]> {
  const workflowId = stagingWorkflowId(NAME);
  const args = [{ deployment: NAME, to: '7.0', startedBy: 'cleo' }];
  const handle = await workflow.start('staging', { workflowId, taskQueue: TASK_QUEUE, args });
  await handle.result();
  const family = await findChildren(workflow, { workflowId, runId: handle.firstExecutionRunId });
  const upgrade = operationId(copyName(NAME));
  const kept = [
    ['upgrade', family.find((it) => it.workflowId === upgrade)],
    ['fallback', family.find((it) => it.workflowId === fallbackId(upgrade))],
  ] as const;
  return [
    ['staging', await handle.fetchHistory()],
    ...(await Promise.all(
      kept.map(async ([name, it]): Promise<[string, History]> => [
        name,
        await workflow.getHandle(it?.workflowId ?? '', it?.runId).fetchHistory(),
      ]),
    )),
  ];
}
