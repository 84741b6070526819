import { afterAll, beforeAll, expect, test } from 'vitest';
import { Sandbox } from '../../scripts/sandbox/cluster.js';
import { Stage } from '../../scripts/sandbox/stage.js';
import { Dataset } from './stage/dataset.js';
import { expectCompleted, expectNothingLost, expectUnnoticed, readReport } from './stage/evidence.js';
import { expectWhole, readNodes } from './stage/nodes.js';

// 5.0 never meets 7.2 on the bus. Two upgrades by hand would be taken up wrongly by whoever has the next shift.
let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open();
});
afterAll(() => stage[Symbol.asyncDispose]());

test('5.0.6 → 7.0 → 7.2 as one operation, stopped in the first hop and taken up again', async () => {
  await using cluster = await Sandbox.cluster({ release: '5.0.6', primaries: 2 });
  const dataset = await Dataset.write(cluster, 300);
  const before = await readNodes(cluster);
  await stage.deploy('hops', cluster, {
    policy: { roles: { people: ['ana'] }, approvals: { handover: { roles: ['people'] } } },
  });

  const first = await stage.start('hops', '7.2', { via: ['7.0'] });
  await first.waits('approval', 'handover:7.0.15');
  await first.tell('abort', { by: 'ana', reason: 'the shift ends' });
  const aborted = await first.result();
  expect(aborted).toMatchObject({ result: 'aborted' });
  await expectNothingLost(first);
  // The statement is true of every node.
  const releases = (await readNodes(cluster)).map((node) => node.release);
  expect(releases.filter((it) => it === '7.0.15')).toHaveLength(1);
  expect(releases.filter((it) => it === '5.0.6')).toHaveLength(3);
  expect(aborted.statement).toContain('1 of 4 nodes run 7.0.15, none 7.2.4.');
  expect(aborted.statement).toContain('rollout start hops --to 7.2.4 --via 7.0.15');

  const second = await stage.start('hops', '7.2.4', { via: ['7.0.15'] });
  await second.waits('approval', 'handover:7.0.15');
  await second.tell('approve', { by: 'ana' });
  const { status } = await second.waits('approval', 'handover:7.2.4', 200_000);
  expect(status).toMatchObject({ from: '5.0.6', via: ['7.0.15'], to: '7.2.4', hop: '7.2.4' });
  await second.tell('approve', { by: 'ana', approval: 'handover:7.2.4' });
  const outcome = await second.result();

  expectCompleted(outcome);
  expect(outcome).toMatchObject({ from: '5.0.6', to: '7.2.4', nodes: 4 });
  await expectWhole(cluster, { release: '7.2.4', before, closed: true });
  await dataset.expectSame(10_000);
  const report = await readReport(outcome);
  expectUnnoticed(report);
  // One probe over the whole, and per hop what an upgrade of its own would have.
  expect(report.probe?.interruptions ?? []).toEqual([]);
  expect(report.releases.map(({ before, after }) => `${before} → ${after}`).sort()).toEqual([
    ...Array.from({ length: 3 }, () => '5.0.6 → 7.0.15'),
    ...Array.from({ length: 4 }, () => '7.0.15 → 7.2.4'),
  ]);
  expect(report.resyncs).toHaveLength(7);
  expect(report.handovers).toHaveLength(4);
  // Each can be loaded by what ran when it was taken: RDB 9 before the hop to 7.0, RDB 10 after it.
  expect(report.backups.map(({ shard, rdbVersion }) => `${shard} ${rdbVersion}`).sort()).toEqual([
    ...['shard-1 10', 'shard-1 9', 'shard-2 10', 'shard-2 9'],
  ]);
}, 800_000);
