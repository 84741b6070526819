import { afterAll, beforeAll, expect, test } from 'vitest';
import { Sandbox } from '../../scripts/sandbox/cluster.js';
import { Dataset } from './stage/dataset.js';
import { expectBackups, expectCompleted, expectUnnoticed, readReport } from './stage/evidence.js';
import { expectWhole, readNodes } from './stage/nodes.js';
import { Stage } from '../../scripts/sandbox/stage.js';

// Nobody notices: clients see no error, no write is lost, and afterwards everything is as it was, but newer.
let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open();
});
afterAll(() => stage[Symbol.asyncDispose]());

const pairs = [
  { name: 'old-to-new', from: '5.0.6', to: '8.0', reached: '8.0.6', mode: 'safe' },
  { name: 'fast', from: '6.2', to: '8.2', reached: '8.2.3', mode: 'fast' },
  { name: 'to-valkey', from: '7.2', to: 'valkey-9.1', reached: 'valkey-9.1.2', mode: 'safe' },
] as const;

test.each(pairs)(
  '$from → $to, handover $mode: nobody notices',
  async ({ name, from, to, reached, mode }) => {
    await using cluster = await Sandbox.cluster({ release: from });
    const dataset = await Dataset.write(cluster, 1200);
    const before = await readNodes(cluster);
    await stage.deploy(name, cluster, { policy: { handover: mode } });

    const outcome = await (await stage.start(name, to)).result();

    expectCompleted(outcome);
    expect(outcome).toMatchObject({ to: reached, nodes: 6 });
    await expectWhole(cluster, { release: reached, before });
    await dataset.expectSame(10_000);
    const report = await readReport(outcome);
    expectUnnoticed(report);
    await expectBackups(report, 3);
    const handovers = report.handovers.map((it) => [it.shard, it.mode, it.fellBack]);
    expect(handovers.sort()).toEqual(['shard-1', 'shard-2', 'shard-3'].map((shard) => [shard, mode, undefined]));
    expect(report.releases).toHaveLength(6);
    expect(report.resyncs).toHaveLength(6);
    expect(report.verify.reduce((sum, it) => sum + it.keys, 0)).toBeGreaterThanOrEqual(1200);
    expect(report.status.progress).toEqual({ upgraded: 6, nodes: 6 });
  },
  180_000,
);
