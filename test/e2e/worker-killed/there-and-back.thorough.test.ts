import { afterEach, beforeEach, expect, test } from 'vitest';
import { Sandbox } from '../../../scripts/sandbox/cluster.js';
import { Stage } from '../../../scripts/sandbox/stage.js';
import { Dataset } from '../stage/dataset.js';
import { readReport } from '../stage/evidence.js';
import { expectWhole, readNodes } from '../stage/nodes.js';
import { expectKilled, killsIn, policy } from './kills.js';

let stage: Stage;
beforeEach(async () => {
  stage = await Stage.open({ quickRetries: true });
});
afterEach(() => stage[Symbol.asyncDispose]());

test('in every activity of an upgrade with standbys, and of its way back', async () => {
  await using cluster = await Sandbox.cluster({ release: '7.0', primaries: 1 });
  const dataset = await Dataset.write(cluster, 300);
  const before = await readNodes(cluster);
  await stage.deploy('orders', cluster, {
    policy: {
      ...{ ...policy, soak: '1h', handover: 'fast', settle: '1s', fallback: 'standby' },
      // Half of it is less than a worker takes to come back: whoever followed during the cutover has to begin anew.
      ttlTolerance: '2s',
    },
  });
  await stage.faults.draw(...killsIn('there and back'));
  stage.keepWorker(2);
  const upgrade = await stage.start('orders', '8.0');
  await upgrade.until('it soaks', ({ phase }) => phase === 'soaking', 500_000);

  expect(await upgrade.tell('fallback', { by: 'ana', reason: 'a drill' })).toHaveProperty('done');
  const outcome = await upgrade.result();

  expect(outcome).toMatchObject({ result: 'fell back' });
  await expectKilled(stage, cluster);
  await expectWhole(cluster, { release: '7.0.15', before });
  await dataset.expectSame(10_000);
  const report = await readReport(outcome);
  expect(report.probe?.ledger).toMatchObject({ lost: 0 });
  expect(report.verify.reduce((sum, { different }) => sum + different, 0)).toBe(0);
  expect(report.cutovers).toHaveLength(1);
}, 1_800_000);
