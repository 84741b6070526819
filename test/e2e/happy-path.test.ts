import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ReportData } from '../../model/report.js';
import { Sandbox } from '../../scripts/sandbox/cluster.js';
import { Dataset } from './stage/dataset.js';
import { expectBackups, expectCompleted, expectUnnoticed, readReport } from './stage/evidence.js';
import { expectWhole, readNodes } from './stage/nodes.js';
import { Stage } from '../../scripts/sandbox/stage.js';
import { usually } from '../thorough.js';

// Nobody notices: clients see no error, no write is lost, and afterwards everything is as it was, but newer.
let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open();
});
afterAll(() => stage[Symbol.asyncDispose]());

/** Every pair of releases once, and between them every way to hand over, one and two replicas, with and without AOF. */
const pairs = [
  { from: '6.2', to: '8.2', reached: '8.2.3', mode: 'fast', replicasEach: 1, aof: 'yes', parallelShards: 1 },
  { from: '5.0.6', to: '8.0', reached: '8.0.6', mode: 'safe', replicasEach: 1, aof: 'no', parallelShards: 1 },
  { from: '5.0.6', to: '7.0', reached: '7.0.15', mode: 'safe', replicasEach: 2, aof: 'yes', parallelShards: 3 },
  { from: '7.0', to: '7.4', reached: '7.4.1', mode: 'fast', replicasEach: 2, aof: 'no', parallelShards: 3 },
  { from: '7.2', to: 'valkey-9.1', reached: 'valkey-9.1.2', mode: 'safe', replicasEach: 1, aof: 'yes', parallelShards: 2 },
  { from: '8.0', to: '8.2', reached: '8.2.3', mode: 'fast', replicasEach: 1, aof: 'no', parallelShards: 3 },
] as const; // prettier-ignore

test.each(usually(1, pairs))(
  '$from → $to, handover $mode, replicas $replicasEach, AOF $aof, shards at once $parallelShards',
  async ({ from, to, reached, mode, replicasEach, aof, parallelShards }) => {
    await using cluster = await Sandbox.cluster({ release: from, replicasEach, configuration: [`appendonly ${aof}`] });
    const dataset = await Dataset.write(cluster, 600);
    const before = await readNodes(cluster);
    const name = `from-${from}-to-${to}`.replaceAll('.', '-');
    await stage.deploy(name, cluster, { policy: { handover: mode, parallelShards, ttlTolerance: '1s' } });

    const outcome = await (await stage.start(name, to)).result();

    const nodes = 3 * (1 + replicasEach);
    expectCompleted(outcome);
    expect(outcome).toMatchObject({ to: reached, nodes });
    await expectWhole(cluster, { release: reached, before, closed: true });
    await dataset.expectSame(1000);
    const report = await readReport(outcome);
    expectUnnoticed(report);
    await expectBackups(report, 3);
    const handovers = report.handovers.map((it) => [it.shard, it.mode, it.fellBack]);
    expect(handovers.sort()).toEqual(['shard-1', 'shard-2', 'shard-3'].map((shard) => [shard, mode, undefined]));
    expect(report.releases).toHaveLength(nodes);
    expect(report.resyncs).toHaveLength(nodes);
    expect(report.verify.reduce((sum, it) => sum + it.keys, 0)).toBeGreaterThanOrEqual(600 * replicasEach);
    expect(report.status.progress).toEqual({ upgraded: nodes, nodes });
    expectComparedWithTheNewPrimary(report);
  },
  480_000,
);

/** A sibling was compared with the old primary only: nobody would have known that it differs from the new one. */
function expectComparedWithTheNewPrimary({ status, handovers, verify }: ReportData): void {
  for (const { shard, to: primary } of handovers) {
    const others = status.shards.find((it) => it.shard === shard)?.nodes.map((it) => it.address) ?? [];
    const compared = verify.filter((it) => it.primary === primary).map((it) => it.replica);
    expect([...new Set(compared)].sort()).toEqual(others.filter((it) => it !== primary).sort());
  }
}
