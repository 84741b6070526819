import { afterAll, beforeAll, expect, test } from 'vitest';
import { createActivities } from '../../activities/index.js';
import { operationId, rollingId, shardId } from '../../model/names.js';
import type { OperationStatus } from '../../model/operation.js';
import type { Activities } from '../../model/work.js';
import { Sandbox, until } from '../../scripts/sandbox/cluster.js';
import { promotable } from '../../scripts/sandbox/node-states.js';
import type { Operation } from '../../scripts/sandbox/operation.js';
import { Stage } from '../../scripts/sandbox/stage.js';
import { Dataset } from '../e2e/stage/dataset.js';
import { expectCompleted, expectNothingLost } from '../e2e/stage/evidence.js';
import { expectWhole, readNodes, type NodeState } from '../e2e/stage/nodes.js';

// An abort, or a pause, that comes while something is done, whatever it is: one upgrade after the other, each going on
// where the one before it was ended. The deployment is whole each time, and what is said of it is true.
type Activity = keyof Activities;

/** They come by where something has failed, run beside everything, or are the end already. */
const notHere: readonly Activity[] = [
  ...(['revert', 'bringBack', 'compareReplica', 'runProbe'] as const),
  ...(['readCluster', 'readLedger', 'writeReport'] as const),
];

/** What each upgrade is interrupted in. What is begun on a node is finished first: each release has two such nodes. */
const way: readonly { to: string; interrupted: readonly Activity[] }[] = [
  { to: '6.0.16', interrupted: ['assess', 'backUpShard', 'completeBackup', 'checkGates', 'readShard', 'prepareShard'] },
  { to: '6.0.16', interrupted: ['isolate', 'snapshot'] },
  { to: '6.2.14', interrupted: ['swapVersion', 'rejoin'] },
  { to: '7.0.15', interrupted: ['verifyNode', 'release'] },
  { to: '8.0.6', interrupted: ['handOver'] },
];
/** Paused in this, and resumed: it comes to its end. */
const resumed = { to: '8.2.3', activity: 'putBackShard' } as const satisfies { to: string; activity: Activity };

const nobody = (): never => {
  throw new Error('only their names are asked for');
};
const activities = Object.keys(
  createActivities({ deployments: '', state: '', searchable: false, collectReport: nobody }),
) as Activity[];

let stage: Stage;
let cluster: Sandbox;
let before: NodeState[];
beforeAll(async () => {
  stage = await Stage.open();
  cluster = await Sandbox.cluster({ release: '5.0.6', primaries: 1 });
  before = await readNodes(cluster);
});
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
  await cluster.stop();
});

test('no activity is left out', () => {
  const tried = [...way.flatMap(({ interrupted }) => interrupted), resumed.activity];
  expect([...tried, ...notHere].sort()).toEqual([...activities].sort());
});

test('an abort or a pause in the middle of each: every node is back, and the next start goes on', async () => {
  const dataset = await Dataset.write(cluster, 200);
  await stage.deploy('orders', cluster, { policy: { canarySoak: '0s', soak: '0s' } });
  let pause = false;
  for (const { to, interrupted } of way)
    for (const activity of interrupted) {
      const operation = await heldIn(activity, to);
      if (pause) await pauseAndGoOn(operation, activity);
      await tellAll(operation, 'abort', activity);
      await stage.faults.letGo();
      pause = !pause;

      const outcome = await operation.result();
      expect({ activity, outcome }).toMatchObject({ activity, outcome: { result: 'aborted' } });
      const running = (await readNodes(cluster)).map(({ release }) => release);
      const count = running.filter((release) => release === to).length;
      const untouched = outcome.statement.includes('Nothing was touched');
      if (untouched) expect(running).toEqual(before.map(({ release }) => release));
      else expect(outcome.statement).toContain(`${count} of 2 nodes run ${to}`);
      expect(outcome.statement).toContain(`not during ${activity}`);
      await expectWhole(cluster, { release: running, before });
      if (activity !== 'assess') await expectNothingLost(operation);
    }

  const operation = await heldIn(resumed.activity, resumed.to);
  await pauseAndGoOn(operation, resumed.activity);
  expect(await operation.tell('resume', { by: 'ana' })).toEqual({ done: 'resumed by ana' });
  expectCompleted(await operation.result());
  await expectWhole(cluster, { release: resumed.to, before });
  await dataset.expectSame(10_000);
}, 900_000);

/** Starts an upgrade that is held right before the activity does anything. */
async function heldIn(activity: Activity, to: string): Promise<Operation> {
  await stage.faults.draw({ activity, when: 'before', kind: 'hold' });
  const operation = await stage.start('orders', to);
  await stage.faults.held();
  return operation;
}

/** The activity comes to its end, and what goes on until the next safe point; then it holds, with every node well. */
async function pauseAndGoOn(operation: Operation, activity: Activity): Promise<void> {
  await tellAll(operation, 'pause', activity);
  await stage.faults.letGo();
  await operation.waits('pause', 'pause');
  // What is noted beside the nodes of a shard that is not done stays there; nothing else is left of the step.
  const nodes = await readNodes(cluster);
  expect(nodes.map(({ clusterState }) => clusterState)).toEqual(['ok', 'ok']);
  expect(nodes.map(promotable)).toEqual(before.map(promotable));
  expect(nodes.map(({ role }) => role).sort()).toEqual(['master', 'slave']);
}

/** Told to the root, and heard by whoever runs below it: the activity is over only after that. */
async function tellAll(operation: Operation, what: 'pause' | 'abort', activity: Activity): Promise<void> {
  expect(await operation.tell(what, { by: 'ana', reason: `not during ${activity}` })).toHaveProperty('done');
  const root = operationId('orders');
  for (const child of [rollingId(root), shardId(rollingId(root), 'shard-1')])
    await until(`${child} has heard of the ${what}`, async () => {
      const handle = stage.client.workflow.getHandle(child);
      const { status } = await handle.describe().catch(() => ({ status: { name: 'NOT STARTED' } }));
      return status.name !== 'RUNNING' || (await handle.query<OperationStatus>('status')).asked?.what === what;
    });
}
