import { randomBytes } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { hostname, homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import type { Client } from '@temporalio/client';
import proto from '@temporalio/proto';
import { ArchiveStore } from '../../integrations/archive-store.js';
import { BackupStore } from '../../integrations/backup-store.js';
import { loadDeployment } from '../../integrations/deployment-files.js';
import type { DeploymentFile } from '../../model/deployment.js';
import {
  backupScheduleId,
  archiveWorkflowId,
  assessmentWorkflowId,
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
import { assumedShape } from '../../model/load-shape.js';
import { windowsOf } from '../../model/recovery.js';
import type { OperationStatus } from '../../model/operation.js';
import { connectTemporal } from '../../workers/client.js';
import { findChildren, OperationReader } from '../../workers/read-operation.js';
import { createWorker } from '../../workers/worker.js';
import { Sandbox, until } from '../sandbox/cluster.js';
import { startTemporal } from '../setup/temporal.js';

const project = fileURLToPath(new URL('../../', import.meta.url));
/** In a worktree it may be a link to another's: stack traces name where it is. */
const modules = realpathSync(join(project, 'node_modules'));
const historiesFolder = join(project, 'test', 'replay', 'histories');

const NAME = 'orders';
/** File of the key that seals its backups. */
const KEY = 'backup.key';
const people = { engineering: ['ana', 'ben'], operations: ['olu'] };

/** What comes after all scenes: these are not steered. */
const BACKED_UP = 'backed-up';
const BROUGHT_BACK = 'brought-back';
const ARCHIVED = 'archived';
const DRILLED = 'drilled';
const ASSESSED = 'assessed';
const REHEARSED = 'rehearsed';

const { History: HistoryMessage } = proto.temporal.api.history.v1;
type History = proto.temporal.api.history.v1.IHistory;

interface Scene {
  name: string;
  to: string;
  policy: DeploymentFile['policy'];
  /** Of the deployment file, beside its policy. */
  more?: Pick<DeploymentFile, 'hooks' | 'checks'>;
  /** What people do meanwhile; returns when nothing is left for them to do. */
  people: (actors: Actors) => Promise<void>;
}

/** What a scene has at hand to steer its upgrade. */
interface Actors {
  until: (what: string, condition: (status: OperationStatus) => boolean) => Promise<OperationStatus>;
  update: (name: string, input: object) => Promise<unknown>;
  signal: (name: string, input: object) => Promise<void>;
  /** Changes the deployment file while the upgrade runs. */
  policy: (policy: DeploymentFile['policy']) => Promise<void>;
}

const waits =
  (kind: string, name: string) =>
  ({ waiting }: OperationStatus): boolean =>
    waiting.some((it) => it.kind === kind && it.name === name);
const openHandovers = ({ approvals }: Pick<OperationStatus, 'approvals'>): string[] =>
  approvals.flatMap(({ approval, state }) => (approval.startsWith('handover') && state === 'open' ? [approval] : []));
const approve = (approval: string, by: string) => ({ approval, by });

/** One cluster, carried from 5.0.6 to 8.0.6, and to 8.2.3 and back twice, in operations each of which ends in another way. */
const scenes: readonly Scene[] = [
  {
    name: 'aborted-at-the-handover',
    to: '8.0.2',
    policy: { approvals: { handover: { roles: ['operations'] } } },
    async people({ until, update }) {
      await until('the handover is asked for', waits('approval', 'handover'));
      await update('abort', { by: 'ana', reason: 'an incident elsewhere' });
    },
  },
  {
    name: 'paused-and-overridden',
    to: '8.0.2',
    policy: {},
    async people({ until, update, signal, policy }) {
      await until('a node is in hand', ({ shards }) => shards.some(({ state }) => state === 'in progress'));
      await update('pause', { by: 'ana', reason: 'lunch' });
      await until('it is paused', waits('pause', 'pause'));
      await policy({ gates: { memoryHeadroom: 1 } });
      await signal('resume', { by: 'ben' });
      await until('the gate blocks', waits('gate', 'memory'));
      await update('override', { by: 'olu', gate: 'memory', reason: 'the export ends soon' });
      await policy({});
    },
  },
  {
    name: 'completed-with-approvals',
    to: '8.0.6',
    policy: {
      parallelShards: 2,
      handover: 'fast',
      approvals: {
        start: { roles: ['engineering'], quorum: 2, expires: '8s' },
        handover: { roles: ['operations'], per: 'shard' },
        finalize: { roles: ['operations'] },
      },
    },
    async people({ until, update, signal }) {
      await until('the start is asked for anew', ({ approvals }) => approvals.length > 1);
      await update('approve', approve('start', 'ana'));
      await signal('approve', approve('start', 'stranger'));
      await signal('approve', approve('start', 'ben'));
      // Shards ask in an order of their own, two of them at the same time.
      for (let n = 1; n <= 3; n++) {
        const { approvals } = await until(`${n} shards ask`, (status) => openHandovers(status).length > 0);
        await update('approve', approve(openHandovers({ approvals })[0] ?? '', 'olu'));
      }
      await until('the end is asked for', waits('approval', 'finalize'));
      await update('approve', approve('finalize', 'olu'));
    },
  },
  {
    name: 'hooked-and-validated',
    to: '8.0.6',
    policy: { parallelShards: 3, handover: 'fast' },
    more: {
      hooks: [{ name: 'tell', at: ['before upgrade', 'before node', 'after handover', 'ended'], command: ['true'] }],
      checks: [{ name: 'cart', of: ['validation'], command: ['true'] }],
    },
    people: () => Promise.resolve(),
  },
  {
    name: 'taken-back',
    to: '8.2.3',
    policy: { parallelShards: 3, handover: 'fast', fallback: 'standby', soak: '1h' },
    async people({ until, update }) {
      await until('it soaks', ({ phase }) => phase === 'soaking');
      await update('fallback', { by: 'ana', reason: 'a drill' });
    },
  },
  {
    name: 'restored',
    to: '8.2.3',
    policy: { parallelShards: 3, handover: 'fast', fallback: 'backup', soak: '1h' },
    async people({ until, update }) {
      await until('it soaks', ({ phase }) => phase === 'soaking');
      await update('fallback', { by: 'ana', reason: 'a drill', restore: true });
      await until('the restore is asked for', waits('approval', 'restore'));
      await update('approve', approve('restore', 'olu'));
    },
  },
];

/**
 * Runs real upgrades of a throwaway cluster and writes the history of each workflow to test/replay/histories, in the
 * place of those that lie there. Takes some minutes.
 *
 * @param names of scenes; those of others stay as they are (default: all)
 * @returns what it wrote
 * @throws Error naming the scenes that there are, where one is asked for that is none
 */
export async function recordHistories(names: readonly string[], tell: (line: string) => void): Promise<string[]> {
  const known = [...scenes.map(({ name }) => name), BACKED_UP, BROUGHT_BACK, ARCHIVED, DRILLED, ASSESSED, REHEARSED];
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Error(`${unknown} is no scene: expected ${known.join(', ')}`);
  const isChosen = (name: string): boolean => names.length === 0 || names.includes(name);
  const chosen = scenes.filter(({ name }) => isChosen(name));
  const root = await mkdtemp(join(tmpdir(), 'redis-rollout-record-'));
  const undo: (() => Promise<void>)[] = [() => rm(root, { recursive: true, force: true, maxRetries: 5 })];
  const histories = new Map<string, string>();
  try {
    const temporal = await startTemporal();
    undo.push(() => temporal.stop());
    process.env['TEMPORAL_ADDRESS'] = temporal.address;
    const cluster = await Sandbox.cluster({ release: '5.0.6' });
    undo.push(() => cluster.stop());
    const deployments = join(root, 'deployments');
    await mkdir(deployments);
    const worker = await createWorker({ deployments, state: join(root, 'state') });
    const running = worker.run();
    undo.push(async () => {
      worker.worker.shutdown();
      await running;
    });
    await using access = await connectTemporal();
    const keep = (scene: string, all: readonly (readonly [string, History])[]): void => {
      for (const [id, history] of all) {
        histories.set(`${scene}.${id}.json.gz`, neutral(historyToJson(history)));
        tell(`  ${id}: ${history.events?.length ?? 0} events`);
      }
    };
    await writeFile(join(root, KEY), randomBytes(32).toString('hex'), { mode: 0o600 });
    for (const scene of chosen) {
      tell(`${scene.name}: to ${scene.to}`);
      const deploy = (policy: DeploymentFile['policy']): Promise<void> =>
        writeFile(
          join(deployments, `${NAME}.yaml`),
          JSON.stringify({ ...deployment(cluster, root, policy), ...scene.more }),
        );
      await deploy(scene.policy);
      keep(scene.name, await play(access.client, scene, deploy));
    }
    if (isChosen(BACKED_UP)) {
      tell(BACKED_UP);
      await writeFile(join(deployments, `${NAME}.yaml`), JSON.stringify(deployment(cluster, root, {})));
      keep(BACKED_UP, [
        ['backup', await playBackup(access.client, 'backup', backupWorkflowId(NAME))],
        ['verify-backup', await playBackup(access.client, 'verifyBackup', verifyBackupWorkflowId(NAME))],
        ...(await playSchedule(access.client)),
      ]);
    }
    if (isChosen(BROUGHT_BACK)) {
      tell(BROUGHT_BACK);
      await writeFile(join(deployments, `${NAME}.yaml`), JSON.stringify(deployment(cluster, root, {})));
      await playBackup(access.client, 'backup', backupWorkflowId(NAME));
      const how = { existing: 'replace', confirm: NAME };
      keep(BROUGHT_BACK, [
        ['dry-run', await playBackup(access.client, 'restore', restorePlanWorkflowId(NAME), { dryRun: true })],
        ['restore', await playBackup(access.client, 'restore', operationId(NAME), how)],
      ]);
    }
    if (isChosen(DRILLED)) {
      tell(DRILLED);
      await writeFile(join(deployments, `${NAME}.yaml`), JSON.stringify(deployment(cluster, root, {})));
      await playBackup(access.client, 'backup', backupWorkflowId(NAME));
      keep(DRILLED, [
        ['drill', await playBackup(access.client, 'drDrill', drillWorkflowId(NAME), { sample: 2 })],
        ['scheduled-drill', await playBackup(access.client, 'scheduledDrill', `${drillScheduleId(NAME)}-recorded`)],
      ]);
    }
    if (isChosen(ARCHIVED)) {
      tell(ARCHIVED);
      await writeFile(join(deployments, `${NAME}.yaml`), JSON.stringify(deployment(cluster, root, {})));
      keep(ARCHIVED, await playArchive(access.client, deployments));
    }
    if (isChosen(ASSESSED)) {
      tell(ASSESSED);
      await writeFile(join(deployments, `${NAME}.yaml`), JSON.stringify(deployment(cluster, root, {})));
      const how = { to: '8.0', over: '2s', monitor: '1s' };
      keep(ASSESSED, [['assess', await playBackup(access.client, 'assess', assessmentWorkflowId(NAME), how)]]);
    }
    if (isChosen(REHEARSED)) {
      tell(REHEARSED);
      await writeFile(join(deployments, `${NAME}.yaml`), JSON.stringify(deployment(cluster, root, {})));
      await playBackup(access.client, 'backup', backupWorkflowId(NAME));
      await playBackup(access.client, 'verifyBackup', verifyBackupWorkflowId(NAME));
      keep(REHEARSED, await playRehearsal(access.client));
    }
  } finally {
    for (const step of undo.reverse()) await step();
  }
  await mkdir(historiesFolder, { recursive: true });
  for (const file of await readdir(historiesFolder))
    if (names.length === 0 || names.some((name) => file.startsWith(`${name}.`))) await rm(join(historiesFolder, file));
  for (const [name, text] of histories) await writeFile(join(historiesFolder, name), gzipSync(text, { level: 9 }));
  return [...histories.keys()].map((name) => join(historiesFolder, name));
}

/** One operation to its end; the histories of its family by the last part of their ids. */
async function play(
  { workflow }: Client,
  scene: Scene,
  deploy: (policy: DeploymentFile['policy']) => Promise<void>,
): Promise<[string, History][]> {
  const root = operationId(NAME);
  const handle = await workflow.start('upgrade', {
    workflowId: root,
    taskQueue: TASK_QUEUE,
    args: [{ deployment: NAME, to: scene.to, startedBy: 'cleo' }],
  });
  const run = { workflowId: root, runId: handle.firstExecutionRunId };
  const reader = new OperationReader(workflow, run);
  await scene.people({
    async until(what, condition) {
      let { status } = await reader.read();
      await until(
        `${scene.name}: ${what}`,
        async () => {
          ({ status } = await reader.read());
          if (status.result !== undefined && !condition(status)) throw new Error(status.statement);
          return condition(status);
        },
        120_000,
      );
      return status;
    },
    update: (name, input) => handle.executeUpdate(name, { args: [input] }),
    signal: (name, input) => handle.signal(name, input),
    policy: deploy,
  });
  await handle.result();
  const family = [run, ...(await findChildren(workflow, run))];
  return Promise.all(
    family.map(async ({ workflowId, runId }): Promise<[string, History]> => [
      workflowId === root ? 'upgrade' : workflowId.slice(root.length + 1),
      await workflow.getHandle(workflowId, runId).fetchHistory(),
    ]),
  );
}

async function playBackup(
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

/** Soaks are seconds, and gates generous: this is about the order of things. */
function deployment(cluster: Sandbox, root: string, policy: DeploymentFile['policy']): DeploymentFile {
  return {
    name: NAME,
    topology: 'cluster',
    seeds: cluster.nodes.map((node) => node.address),
    platform: { kind: 'process' },
    drill: { nodeTimeout: '1500ms' },
    staging: {
      soak: '1s',
      benchmark: { rounds: 3, duration: '1s', warmUp: '0s', requests: 100 },
      load: { ...assumedShape, keys: { ...assumedShape.keys, count: 100 }, ratePerSecond: 100 },
    },
    backup: {
      directory: join(root, 'backups'),
      encryption: { key: `file:${join(root, KEY)}`, olderKeys: [] },
      schedule: {},
      retention: { hourly: 0, daily: 1, weekly: 0, monthly: 0, atLeast: '1ms' },
    },
    policy: {
      canarySoak: '1s',
      soak: '2s',
      ttlTolerance: '10s',
      validation: {
        measure: '1s',
        latency: 1000,
        commandTime: 1000,
        throughput: 0,
        hitRate: 1,
        errorRate: 1,
        memory: 100,
      },
      roles: people,
      ...policy,
      gates: { maxLatency: '5s', maxErrorRate: 1, memoryHeadroom: 0, diskHeadroom: 0, ...policy?.gates },
    },
  };
}

/** As JSON with names for numbers, which `historyFromJson` of the replay tests reads. */
const historyToJson = (history: History): string =>
  JSON.stringify(
    HistoryMessage.toObject(HistoryMessage.fromObject(history), { enums: String, bytes: String, longs: String }),
  );

/** The machine that recorded it is nobody's business: its name and folders go, in payloads too. */
function neutral(json: string): string {
  const clean = (text: string): string =>
    text
      .replaceAll(modules, '/redis-rollout/node_modules')
      .replaceAll(project, '/redis-rollout/')
      .replaceAll(homedir(), '/home/rollout')
      .replaceAll(`@${hostname()}`, '@worker');
  const visit = (value: unknown, key?: string): unknown => {
    if (typeof value === 'string')
      return key === 'data'
        ? Buffer.from(clean(Buffer.from(value, 'base64').toString())).toString('base64')
        : clean(value);
    if (Array.isArray(value)) return value.map((it) => visit(it));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, it]) => [name, visit(it, name)]));
  };
  return JSON.stringify(visit(JSON.parse(json)));
}
