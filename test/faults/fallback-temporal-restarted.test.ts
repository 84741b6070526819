// The Temporal server goes away in the middle of a fallback, ended or killed, and comes back on the file that it kept its
// state in: the way back goes on, and nobody has noticed.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Sandbox } from '../../scripts/sandbox/cluster.js';
import { readNodes } from '../../scripts/sandbox/node-states.js';
import { Stage } from '../../scripts/sandbox/stage.js';
import { Dataset } from '../e2e/stage/dataset.js';
import { readReport } from '../e2e/stage/evidence.js';
import { expectNoOthers, expectWhole } from '../e2e/stage/nodes.js';

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open({ durable: true });
});
afterAll(() => stage[Symbol.asyncDispose]());

test('8.0 → 5.0 with a Temporal server that is restarted, and killed', async () => {
  await using cluster = await Sandbox.cluster({ release: '5.0.6' });
  const dataset = await Dataset.write(cluster, 400);
  const before = await readNodes(cluster);
  await stage.deploy('orders', cluster, { policy: { fallback: 'standby', soak: '1h', parallelShards: 3 } });
  const operation = await stage.start('orders', '8.0.6');
  await operation.until('it soaks', ({ phase }) => phase === 'soaking', 300_000);

  expect(await operation.tell('fallback', { by: 'ana', reason: 'a drill' })).toHaveProperty('done');
  await operation.until('a cutover has begun', (_, timeline) =>
    timeline.some(({ text }) => text.startsWith('cut over to ')),
  );
  await stage.restartTemporal();
  await operation.until('a node goes back', (_, timeline) => timeline.some(({ text }) => text === 'back to 5.0.6'));
  await stage.restartTemporal('SIGKILL');
  const outcome = await operation.result();

  expect(outcome.result).toBe('fell back');
  await expectWhole(cluster, { release: '5.0.6', before, closed: true });
  await expectNoOthers(cluster);
  await dataset.expectSame(10_000);
  const report = await readReport(outcome);
  expect(report.probe?.ledger).toMatchObject({ lost: 0 });
  expect(report.probe?.series.reduce((sum, { failed }) => sum + failed, 0)).toBe(0);
  expect(report.cutovers).toHaveLength(3);
}, 1_800_000);
