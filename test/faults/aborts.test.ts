import { afterAll, beforeAll, expect, test } from 'vitest';
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

/**
 * Each activity, and the release on the way to which an upgrade is interrupted in it, in this order. What is begun on a node
 * is finished first: each release has two such nodes.
 */
const interrupted: Record<Activity, string | undefined> = {
  assess: '6.0.16',
  backUpShard: '6.0.16',
  completeBackup: '6.0.16',
  checkGates: '6.0.16',
  readShard: '6.0.16',
  prepareShard: '6.0.16',
  isolate: '6.0.16',
  snapshot: '6.0.16',
  swapVersion: '6.2.14',
  rejoin: '6.2.14',
  verifyNode: '7.0.15',
  release: '7.0.15',
  handOver: '8.0.6',
  // The last upgrade is paused in it, and resumed.
  putBackShard: undefined,
  // Where something has failed; as verifyNode, with a second replica; beside everything; the end already.
  ...{ revert: undefined, bringBack: undefined, compareReplica: undefined, runProbe: undefined },
  ...{ readCluster: undefined, readLedger: undefined, removeStandby: undefined, writeReport: undefined },
  // Only with standbys, and on the way back.
  ...{ addStandby: undefined, freezeStandby: undefined, readStandbys: undefined, seeStandbys: undefined },
  ...{ follow: undefined, assessFallback: undefined, lookBack: undefined, cutOver: undefined },
  ...{ returnNode: undefined, restoreShard: undefined },
  // Beside everything; only with hooks, checks, and where something is measured.
  ...{ sealAudit: undefined, runHook: undefined, checkApplication: undefined, measure: undefined },
};
/** Paused in this, and resumed: it comes to its end. */
const resumed = { to: '8.2.3', activity: 'putBackShard' } as const satisfies { to: string; activity: Activity };

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

test('an abort or a pause in the middle of each: every node is back, and the next start goes on', async () => {
  const dataset = await Dataset.write(cluster, 200);
  await stage.deploy('orders', cluster, { policy: { canarySoak: '0s', soak: '0s' } });
  let pause = false;
  for (const [activity, to] of Object.entries(interrupted) as [Activity, string | undefined][]) {
    if (to === undefined) continue;
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
}, 1_800_000);

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
