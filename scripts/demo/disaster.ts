import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { ArchiveStore } from '../../integrations/archive-store.js';
import { BackupStore } from '../../integrations/backup-store.js';
import { loadDeployment } from '../../integrations/deployment-files.js';
import { totalsOf, type BackupManifest } from '../../model/backup-manifest.js';
import type { RestoreResult } from '../../model/backup-restore.js';
import type { DrillRecord } from '../../model/drill.js';
import { formatDuration, formatSize } from '../../model/duration.js';
import { archiveWorkflowId, drillWorkflowId, operationId, TASK_QUEUE, type WorkflowType } from '../../model/names.js';
import { windowsOf } from '../../model/recovery.js';
import { readTopology } from '../../redis/topology.js';
import type { TemporalAccess } from '../../workers/client.js';
import { widthOf } from '../rollout/terminal.js';
import { drillView } from '../rollout/views/drill-view.js';
import { OrderBook, ORDER_PREFIX } from './order-book.js';
import type { Stage } from './stage.js';
import type { Traffic } from './traffic.js';

/** What `--drill --summary FILE` writes. */
export interface DisasterSummary {
  result: 'recovered' | 'not recovered';
  release: string;
  backup: { bytes: number; mbPerS: number; encrypted: boolean; shards: number };
  recovery: {
    /** From the FLUSHALL until every key was back and compared. */
    rtoMs: number;
    /** How far the archive was behind when it happened: what would be gone, had the cluster gone with it. */
    rpoMs: number;
    /** Written back, and compared with what the archive says. */
    keys: number;
    different: number;
    /** Acknowledged writes that are not there. */
    lost: number;
  };
  orders: { acknowledged: number; refused: number };
  drill: Pick<DrillRecord, 'passed' | 'steps'>;
}

/** Under traffic before it happens, ms. */
const BEFORE_MS = 8000;
const PATIENCE_MS = 90_000;

/** Everything deleted by mistake, and brought back as it was the moment before. */
export async function disaster(
  temporal: TemporalAccess,
  { stage, traffic, tell }: { stage: Stage; traffic: Traffic; tell: (line: string) => void },
): Promise<DisasterSummary> {
  const { client } = temporal;
  const start = (type: WorkflowType, workflowId: string, input: object = {}) =>
    client.workflow.start(type, {
      ...{ workflowId, taskQueue: TASK_QUEUE },
      args: [{ deployment: 'orders', startedBy: 'demo', ...input }],
    });
  const deployment = await loadDeployment('orders', stage.environment.ROLLOUT_DEPLOYMENTS);
  const backups = await BackupStore.open(deployment);
  const archive = await ArchiveStore.open(deployment);
  const reach = async () => {
    const manifests = await backups.manifests();
    const [newest] = windowsOf(manifests, await archive.segments());
    return newest && { ...newest, manifest: manifests.find((it) => it.backup === newest.backup) };
  };
  const orders = new OrderBook(stage.cluster.nodes.map(({ port }) => port));
  try {
    traffic.start();
    await traffic.useNewer(true);
    orders.start();
    tell(`an application writes, and an order every few milliseconds; their streams are archived to ${backups.name}`);
    const archiving = await start('archive', archiveWorkflowId('orders'));
    const begun = await eventually('a backup, and the stream behind it', async () => (await reach())?.manifest);
    tell(takenText(begun));
    await sleep(BEFORE_MS);

    await traffic.hold();
    const at = Date.now();
    const rpoMs = Math.max(0, at - ((await reach())?.to ?? 0));
    const deleting = { from: performance.now(), to: 0 };
    const { shards } = await readTopology(stage.cluster.endpoint(), deployment.seeds);
    await Promise.all(shards.map(({ primary }) => stage.cluster.ask(primary.address, 'FLUSHALL')));
    deleting.to = performance.now();
    tell(
      `FLUSHALL on every primary, by mistake: ${orders.acknowledged.toLocaleString('en')} orders and everything else is gone. Orders come in all the same`,
    );

    await eventually('the archive to have the FLUSHALL', async () => ((await reach())?.to ?? 0) > at + 500);
    tell('bringing it back to the moment before: rollout restore orders --before FLUSHALL --keep --yes orders');
    const restoring = await start('restore', operationId('orders'), {
      before: 'FLUSHALL',
      existing: 'keep',
      confirm: 'orders',
    });
    const { restored, compared } = (await restoring.result()) as RestoreResult;
    const rtoMs = Date.now() - at;
    const sum = (of: { different: number; missing: number }[]): number =>
      of.reduce((total, it) => total + it.different + it.missing, 0);
    const keys = restored.reduce((total, it) => total + it.written, 0);
    tell(
      `${keys.toLocaleString('en')} keys are back, ${formatDuration(rtoMs)} after they were deleted; the application goes on`,
    );

    traffic.release();
    await sleep(2000);
    await orders.end();
    const missing = await orders.missing(deleting);
    const application = await traffic.finish();
    await archiving.cancel();

    tell('and a drill, on a cluster of its own: rollout drill orders');
    const drill = (await (await start('drDrill', drillWorkflowId('orders'))).result()) as DrillRecord;
    for (const line of drillView(drill, { width: widthOf(process.stdout) })) tell(line);
    const different = sum(compared) + application.wrong.length;
    const good = missing.length + different === 0 && drill.passed && application.failed === 0;
    for (const line of [...missing.slice(0, 5), ...application.wrong.slice(0, 5)])
      tell(`not as it was acknowledged: ${line}`);
    const { bytes } = totalsOf(begun);
    const tookMs = Date.parse(begun.endedAt) - Date.parse(begun.startedAt);
    return {
      result: good ? 'recovered' : 'not recovered',
      release: drill.release,
      backup: {
        ...{ bytes, mbPerS: Math.round((bytes / 1e6 / Math.max(1, tookMs)) * 10_000) / 10 },
        ...{ encrypted: !(await isReadable(stage)), shards: begun.shards.length },
      },
      recovery: { rtoMs, rpoMs, keys, different, lost: missing.length },
      orders: { acknowledged: orders.acknowledged, refused: orders.refused },
      drill: { passed: drill.passed, steps: drill.steps },
    };
  } finally {
    orders.close();
  }
}

export function tellDisaster({ result, release, backup, recovery, orders, drill }: DisasterSummary): string[] {
  const { rtoMs, rpoMs, keys, different, lost } = recovery;
  return [
    `${result}: a cluster of ${release}, from a FLUSHALL by mistake, in ${formatDuration(rtoMs)}`,
    `backup     ${formatSize(backup.bytes)} of ${backup.shards} shards at ${backup.mbPerS} MB/s, ${backup.encrypted ? 'encrypted' : 'READABLE in the bucket'}; the archive was ${formatDuration(rpoMs)} behind`,
    `recovered  ${keys.toLocaleString('en')} keys, ${different} different`,
    `orders     ${orders.acknowledged.toLocaleString('en')} acknowledged, ${lost} lost, ${orders.refused} refused`,
    `drill      ${drill.passed ? 'passed' : 'FAILED'}`,
  ];
}

/** Is an order to be read in anything that lies in the bucket? */
async function isReadable({ store }: Stage): Promise<boolean> {
  const files = (await store?.files()) ?? [];
  if (files.length === 0) throw new Error('nothing lies in the bucket');
  for (const file of files) if ((await readFile(file).catch(() => Buffer.alloc(0))).includes(ORDER_PREFIX)) return true;
  return false;
}

const takenText = (manifest: BackupManifest): string => {
  const { keys, bytes, sealedBytes } = totalsOf(manifest);
  return `a backup of ${keys.toLocaleString('en')} keys, ${formatSize(bytes)} (${formatSize(sealedBytes)} in the bucket), and every write behind it`;
};

async function eventually<T>(what: string, found: () => Promise<T | undefined | false>): Promise<T> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const it = await found();
    if (it !== undefined && it !== false) return it;
    if (Date.now() > deadline) throw new Error(`not within ${formatDuration(PATIENCE_MS)}: ${what}`);
    await sleep(200);
  }
}
