// Is it as good as it was? Measured on real servers, before and after, under a load, and by a check of the application's own.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Sandbox } from '../../scripts/sandbox/cluster.js';
import { Stage } from '../../scripts/sandbox/stage.js';
import { Dataset } from './stage/dataset.js';
import { expectCompleted, readReport } from './stage/evidence.js';

test('the servers’ own counters and what clients saw are compared, a check holds it until it is content', async () => {
  await using stage = await Stage.open({ quickRetries: true });
  await using cluster = await Sandbox.cluster({ release: '5.0.6', primaries: 1 });
  await Dataset.write(cluster, 200);
  const content = join(stage.root, 'content');
  await stage.deploy('orders', cluster, {
    policy: {
      canarySoak: '0s',
      soak: '0s',
      validation: { measure: '7s', latency: 50, leastLatency: '2s', commandTime: 50 },
    },
    checks: [
      {
        ...{ name: 'cart', of: ['validation'], timeout: '10s' },
        command: ['sh', '-c', `echo "$REDIS_NODES of $REDIS_URL"; test -e ${content}`],
      },
    ],
  });
  stage.keepWorker();
  await stage.faults.draw(
    { activity: 'measure', when: 'during', kind: 'kill' },
    { activity: 'measure', when: 'after', kind: 'kill' },
    { activity: 'checkApplication', when: 'after', kind: 'kill' },
  );
  const operation = await stage.start('orders', '8.0');
  const { status } = await operation.waits('gate', 'validation');
  const nodes = cluster.nodes.map(({ address }) => address);
  expect(status.waiting[0]?.reason).toContain('check cart: exit code 1:');
  for (const node of nodes) expect(status.waiting[0]?.reason).toContain(node);
  await writeFile(content, '');
  const outcome = await operation.result();
  expectCompleted(outcome);
  expect(await stage.faults.unfired()).toEqual([]);

  const { validation } = await readReport(outcome);
  const { baseline, after, measures = [], checks = [] } = validation ?? {};
  for (const it of [baseline, after]) {
    expect(it).toMatchObject({ primaries: 1 });
    expect(it?.ms).toBeGreaterThanOrEqual(7000);
    // The probe's two writers and two readers, 20 a second each.
    expect(it?.operationsPerSecond).toBeGreaterThan(20);
    expect(it?.clients?.p99).toBeGreaterThan(0);
    expect(it?.commands['get']?.calls ?? it?.commands['set']?.calls).toBeGreaterThan(0);
  }
  const verdicts = new Map(measures.map(({ measure, verdict }) => [measure, verdict]));
  // 5.0 counts no error replies: nobody claims that there were none.
  expect(verdicts.get('error rate')).toBe('unknown');
  expect(baseline?.notes).toContain('error replies are counted by 6.2 and newer only');
  expect(verdicts.get('latency of clients, 99th percentile')).toBe('met');
  expect(verdicts.get('memory for each key')).toBe('met');
  expect(checks).toMatchObject([{ check: 'cart', result: 'passed' }]);
}, 600_000);
