// What a person would have seen otherwise: a step under way for minutes, and no word of the node that doesn't answer.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { RolloutError } from '../../model/failures.js';
import { renderReport } from '../../model/report/render-report.js';
import type { ReportData } from '../../model/report.js';
import { until } from '../../scripts/sandbox/cluster.js';
import type { Retry } from '../../workers/read-retries.js';
import { rollout, startRollout } from '../scripts/rollout/stage/cli.js';
import { FakeStage } from './stage/fake-stage.js';

let stage: FakeStage;
beforeAll(async () => {
  stage = await FakeStage.open();
});
afterAll(() => stage[Symbol.asyncDispose]());

const node = '10.0.1.1:6379';
const instant = expect.stringMatching(/^\d{4}-.*Z$/) as string;

test('a node that does not answer shows in status and watch, of the root and of a shard, until it does', async () => {
  const options = { env: { TEMPORAL_ADDRESS: stage.address, NO_COLOR: '1' } };
  const fake = stage.deploy('orders');
  fake.fail('backUpShard shard-1', new RolloutError('Unreachable', '10.0.1.0:6379: connect ECONNREFUSED\nat once'));
  fake.fail(`rejoin ${node}`, new RolloutError('NodeHung', `${node} did not answer PING within 5 s`));
  const operation = await stage.start('orders');
  const lines = startRollout(['watch', 'orders', '--interval', '50ms'], options);
  const documents = startRollout(['watch', 'orders', '--interval', '50ms', '--json'], options);
  const root =
    /retries {2}back up shard-1, attempt \d+ of 10 (at|under way).*it failed with Unreachable: .* ECONNREFUSED\n/;
  await until('the root’s retry is told', () => root.test(lines.stdout()), 60_000);
  fake.mend('backUpShard shard-1');

  await until(
    'the shard’s third attempt is told, or a later one',
    () => /rejoins.*attempt ([3-9]|10) of 10/.test(lines.stdout()),
    60_000,
  );
  // Whoever looks takes their time: no further attempt comes to its end meanwhile.
  const goOn = fake.hold(`rejoin ${node}`);
  const { code, stdout } = await rollout(['status', 'orders'], options);
  expect(code).toBe(0);
  expect(stdout.replaceAll(/\s+/g, ' ')).toMatch(
    /Tries again: 10\.0\.1\.1:6379 rejoins 10\.0\.1\.0:6379, attempt \d+ of 10 (at \S+ UTC|under way), tried for .* s; it failed with NodeHung: 10\.0\.1\.1:6379 did not answer PING within 5 s SHARD/,
  );
  const { retries } = JSON.parse((await rollout(['status', 'orders', '--json'], options)).stdout) as {
    retries: Retry[];
  };
  expect(retries).toMatchObject([
    {
      workflowId: 'redis/orders/shard-1',
      activity: 'rejoin',
      what: `${node} rejoins 10.0.1.0:6379`,
      maximumAttempts: 10,
      since: instant,
      failure: { type: 'NodeHung', message: `${node} did not answer PING within 5 s` },
    },
  ]);
  expect(retries[0]?.attempt).toBeGreaterThan(2);

  fake.mend(`rejoin ${node}`);
  goOn();
  expect(await operation.result()).toMatchObject({ result: 'completed' });
  expect(await lines.ended).toBe(0);
  expect(await documents.ended).toBe(0);
  const told = documents
    .stdout()
    .trim()
    .split('\n')
    .flatMap((line) => {
      const { type, retry } = JSON.parse(line) as { type: string; retry?: Retry };
      return type === 'retry' && retry?.activity === 'rejoin' ? [retry.attempt] : [];
    });
  expect(told.length).toBeGreaterThan(0);
  expect(told).toEqual([...new Set(told)].sort((a, b) => a - b));
  expect((await rollout(['status', 'orders', '--json'], options)).stdout).toContain('"retries": []');

  const report = JSON.parse((await rollout(['report', 'orders', '--json'], options)).stdout) as ReportData;
  // A machine that stands still for a while may have others tried again.
  const retried = report.retries.activities.filter(({ activity }) => ['backUpShard', 'rejoin'].includes(activity));
  const several = { attempts: expect.any(Number) as number, since: instant, until: instant };
  expect(retried).toEqual([
    {
      ...{ workflowId: 'redis/orders', activity: 'backUpShard', what: 'back up shard-1', ...several },
      failure: { type: 'Unreachable', message: '10.0.1.0:6379: connect ECONNREFUSED' },
    },
    {
      ...{ workflowId: 'redis/orders/shard-1', activity: 'rejoin', what: `${node} rejoins 10.0.1.0:6379`, ...several },
      failure: { type: 'NodeHung', message: `${node} did not answer PING within 5 s` },
    },
  ]);
  const [backup, rejoin] = retried;
  expect(backup?.attempts).toBeGreaterThan(1);
  expect(rejoin?.attempts).toBeGreaterThan(2);
  expect(renderReport(report)).toContain('<strong>NodeHung</strong>: ');
}, 600_000);
