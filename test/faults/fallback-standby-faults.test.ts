// The standby itself is struck at each step of a fallback: it goes on, or stops and says so, and the same command brings it to
// its end. Once it serves its shard nothing that it has acknowledged may be gone.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, test } from 'vitest';
import type { StandbyEntry } from '../../activities/standby-registry.js';
import { splitAddress } from '../../model/endpoint.js';
import { Sandbox, type SandboxNode } from '../../scripts/sandbox/cluster.js';
import type { NodeFault } from '../../scripts/sandbox/node-faults.js';
import { expectNoOthers, expectWhole } from '../e2e/stage/nodes.js';
import { FaultStage, rounds, throughFaults, type Activity, type Steps } from './strikes.js';
import { untilItSoaks } from './upgraded-with-standby.js';

/** Steps at which the standby is asked, given something, or serves; what is struck is it, whatever it is then. */
const steps: Steps = Object.fromEntries(
  (
    [
      ...['assessFallback', 'runProbe', 'follow', 'seeStandbys', 'checkGates', 'lookBack', 'cutOver'],
      ...['returnNode', 'prepareShard', 'handOver', 'putBackShard', 'removeStandby'],
    ] as Activity[]
  ).map((activity) => [activity, ['primary']]),
);

const FROM = '7.0.15';
const TO = '8.2.3';
let under: FaultStage;
beforeAll(async () => {
  under = await FaultStage.open([FROM, TO]);
});
afterAll(() => under[Symbol.asyncDispose]());

test.each(rounds([0]))(
  'each step of a shard’s way back with another fault of its standby, turned by %i',
  async (round) => {
    const { stage, servers } = under;
    await using cluster = await Sandbox.cluster({
      ...{ release: FROM, primaries: 1, servers },
      // What it acknowledged is written when it is killed. Nobody else is promoted: there is no vote but the primary's.
      configuration: ['appendonly yes', 'appendfsync no', 'cluster-node-timeout 20000'],
    });
    const name = `orders-${round}`;
    const { dataset, before } = await untilItSoaks(under, cluster, { name, to: TO });

    const node = await standbyOf(name);
    const strikes = under
      .strikes(steps, { primary: node, replica: node }, round)
      .map((strike) => ({ ...strike, fault: whileThere(strike.fault) }));
    await throughFaults({
      ...{ stage, cluster, strikes, startingSteps: ['removeStandby'], onlyAfterFault: [] },
      start: () => stage.startFallback(name, { reason: 'it crashes' }),
      whole: async () => {
        await expectWhole(cluster, { release: FROM, before, closed: true });
        await expectNoOthers(cluster);
        await dataset.expectSame(10_000);
      },
    });
  },
  1_800_000,
);

/** Nothing is to be taken away once the standby was removed, and its folder with it. */
const whileThere =
  (fault: NodeFault): NodeFault =>
  async (cluster, node) => {
    const undo = await fault(cluster, node);
    return async () => {
      if (existsSync(node.home)) await undo();
    };
  };

async function standbyOf(deployment: string): Promise<SandboxNode> {
  const file = join(under.stage.state, deployment, 'standbys.json');
  const [entry, ...others] = JSON.parse(await readFile(file, 'utf8')) as StandbyEntry[];
  if (!entry || others.length > 0) throw new Error(`expected one standby in ${file}`);
  return { port: splitAddress(entry.address).port, address: entry.address, home: entry.home };
}
