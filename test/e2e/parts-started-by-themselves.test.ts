import { afterAll, beforeAll, expect, test } from 'vitest';
import { operationId, TASK_QUEUE } from '../../model/names.js';
import { Sandbox } from '../../scripts/sandbox/cluster.js';
import type { RollingResult } from '../../workflows/rolling-upgrade.js';
import type { Ended } from '../../workflows/run.js';
import type { ShardResult } from '../../workflows/upgrade-shard.js';
import { expectBackups, reportIn } from './stage/evidence.js';
import { expectWhole, readNodes } from './stage/nodes.js';
import { Stage } from '../../scripts/sandbox/stage.js';
import { dirname } from 'node:path';

// Somebody starts `upgradeShard` or `rollingUpgrade` from Temporal's UI: nothing is stopped without a backup, and clients are watched.
let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open();
});
afterAll(() => stage[Symbol.asyncDispose]());

type PartResult = Ended<(ShardResult | RollingResult) & { ledger?: { acknowledged: number; lost: number } }>;

const parts = [
  { type: 'upgradeShard', input: { shard: 'shard-1' } },
  { type: 'rollingUpgrade', input: {} },
] as const;

test.each(parts)(
  '$type by itself backs up, watches, upgrades and reads back',
  async ({ type, input }) => {
    await using cluster = await Sandbox.cluster({ release: '7.0', primaries: 1 });
    const before = await readNodes(cluster);
    const deployment = type.toLowerCase();
    await stage.deploy(deployment, cluster);

    const outcome = (await stage.client.workflow.execute(type, {
      workflowId: operationId(deployment),
      taskQueue: TASK_QUEUE,
      args: [{ deployment, to: '7.4', startedBy: 'olu', ...input }],
    })) as PartResult;

    expect(outcome).toMatchObject({ result: 'completed', ledger: { lost: 0 } });
    const report = await reportIn(dirname(outcome.report));
    await expectBackups(report, 1);
    expect(report.probe?.ledger?.acknowledged).toBeGreaterThan(0);
    await expectWhole(cluster, { release: '7.4.1', before });
  },
  600_000,
);
