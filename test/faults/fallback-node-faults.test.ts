// A node is struck at each step of a fallback: it goes on, or stops and says so, and the same command brings it to its end.
import { afterAll, beforeAll, test } from 'vitest';
import { Sandbox } from '../../scripts/sandbox/cluster.js';
import { expectWhole } from '../e2e/stage/nodes.js';
import { FaultStage, rounds, throughFaults, type Activity, type Steps } from './strikes.js';
import { untilItSoaks } from './upgraded-with-standby.js';

/**
 * Who is struck at which step: who serves the shard on the newer release, or its replica, which was the primary before the
 * upgrade. Where both are, at each one's own.
 */
const steps: Steps = {
  assessFallback: ['replica'],
  runProbe: ['primary'],
  follow: ['primary'],
  seeStandbys: ['primary'],
  checkGates: ['replica'],
  lookBack: ['primary'],
  cutOver: ['primary'],
  returnNode: ['replica', 'primary'],
  prepareShard: ['replica'],
  handOver: ['primary'],
  putBackShard: ['replica'],
  removeStandby: ['primary'],
  readCluster: ['replica'],
  readLedger: ['primary'],
  // Only where a fault leads there.
  bringBack: ['replica'],
};
const startingSteps: readonly Activity[] = ['returnNode', 'bringBack'];
const onlyAfterFault: readonly Activity[] = ['bringBack'];

const FROM = '7.0.15';
const TO = '8.2.3';
let under: FaultStage;
beforeAll(async () => {
  under = await FaultStage.open([FROM, TO]);
});
afterAll(() => under[Symbol.asyncDispose]());

test.each(rounds([0]))(
  'each step of a shard’s way back with another fault, turned by %i',
  async (round) => {
    const { stage, servers } = under;
    await using cluster = await Sandbox.cluster({
      ...{ release: FROM, primaries: 1, servers, diskBytes: 64 * 1024 * 1024 },
      // What it acknowledged is written when it is killed. Nobody else is promoted: there is no vote but the primary's.
      configuration: ['appendonly yes', 'appendfsync no', 'cluster-node-timeout 20000'],
    });
    const name = `orders-${round}`;
    const { dataset, before } = await untilItSoaks(under, cluster, { name, to: TO });

    // The handover was from the first to the second.
    const [replica, primary] = cluster.nodes;
    if (!primary || !replica) throw new Error('the shard has two nodes');
    const strikes = under.strikes(steps, { primary, replica }, round);
    await throughFaults({
      ...{ stage, cluster, strikes, startingSteps, onlyAfterFault },
      start: () => stage.startFallback(name, { reason: 'it crashes' }),
      whole: async () => {
        await expectWhole(cluster, { release: FROM, before, closed: true });
        await dataset.expectSame(10_000);
      },
    });
  },
  1_800_000,
);
