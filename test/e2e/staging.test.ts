// A rehearsal that is none: where the copy is not upgraded, taken back and upgraded as production would be, or where production
// goes ahead without it.
import { createServer } from 'node:http';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { StagingRecord } from '../../model/staging.js';
import { Operation } from '../../scripts/sandbox/operation.js';
import { Sandbox } from '../../scripts/sandbox/cluster.js';
import type { Stage } from '../../scripts/sandbox/stage.js';
import { thorough } from '../thorough.js';
import { openBackupStage } from './stage/backups.js';
import { Dataset } from './stage/dataset.js';
import { Rehearsals } from './stage/rehearsals.js';

let stage: Stage;
beforeEach(async () => {
  stage = await openBackupStage();
});
afterEach(async () => {
  await stage[Symbol.asyncDispose]();
  vi.unstubAllEnvs();
});

test('upgraded, taken back, upgraded again, measured, checked and signed off; production is only read, and may begin then', async () => {
  await using cluster = await Sandbox.cluster({ release: '5.0', primaries: thorough ? 3 : 1 });
  await Dataset.write(cluster, 400);
  const application = createServer((request, response) => response.end(`works with ${request.url ?? ''}`));
  application.listen(0, '127.0.0.1');
  await once(application, 'listening');
  const { port } = application.address() as { port: number };
  const rehearsals = new Rehearsals(stage, cluster);
  await rehearsals.deploy(
    {
      approvals: { product: { roles: ['product'] }, operations: { roles: ['operations'] } },
      checks: [
        { kind: 'http', name: 'cart', url: `http://127.0.0.1:${port}/cart?nodes={nodes}`, contains: '127.0.0.1:' },
      ],
      // Of a machine that others use, too, so generous that only nonsense misses it.
      targets: [{ measure: 'memory', change: '+900%' }],
    },
    { staging: 'required', roles: { product: ['pia'], operations: ['olu'] } },
  );
  await rehearsals.backUp();
  const untouched = await rehearsals.production();

  const handle = await rehearsals.start({ to: '8.0' });
  const operation = new Operation(stage.client.workflow, handle.workflowId, handle.firstExecutionRunId, 1_000_000);
  await operation.waits('approval', 'product');
  const { status } = await operation.waits('approval', 'operations');
  expect(status.reason).toContain('May orders go from 5.0.6 to 8.0');
  expect(status.reason).toContain('fallback to 5.0.6: passed');
  expect(await operation.tell('approve', { by: 'pia', approval: 'operations' })).toHaveProperty('refused');
  await operation.tell('approve', { by: 'pia', approval: 'product' });
  await operation.tell('approve', { by: 'olu', approval: 'operations' });
  const record = (await handle.result()) as StagingRecord;
  const { to } = record;

  expect(record.steps.map(({ name, result }) => `${name}: ${result}`)).toEqual([
    'copy: passed',
    'content: passed',
    'check cart, on 5.0.6: passed',
    'benchmark on 5.0.6: passed',
    `upgrade to ${to}: passed`,
    `benchmark on ${to}: passed`,
    'fallback to 5.0.6: passed',
    'benchmark on 5.0.6 again: passed',
    `upgrade to ${to}: passed`,
    `benchmark on ${to} again: passed`,
    ...['replication: passed', 'persistence: passed', 'expiry: passed'],
    `check cart, on ${to}: passed`,
    'finalize: passed',
    'content, after all of it: passed',
    'targets: passed',
  ]);
  expect(record).toMatchObject({ decision: 'go', from: '5.0.6', shards: cluster.nodes.length / 2, startedBy: 'ana' });
  expect(record.keys).toBeGreaterThan(300);
  expect(record.benchmarks.find(({ measure }) => measure === 'memory')?.verdict).toBe('met');
  for (const measure of ['latency.p99', 'latency.string-read.p50', 'throughput.get', 'cpu', 'service.hash-read'])
    expect(record.benchmarks.find((it) => it.measure === measure)).toMatchObject({
      before: expect.any(Number) as number,
    });
  expect(record.approvals.map(({ approval, answers }) => [approval, answers[0]?.by])).toEqual([
    ['product', 'pia'],
    ['operations', 'olu'],
  ]);
  expect(record.reports).toHaveLength(2);
  expect(record.reports.every((file) => existsSync(file))).toBe(true);
  expect(await rehearsals.left()).toEqual([]);
  expect(await rehearsals.production()).toEqual(untouched);
  expect(await rehearsals.records()).toMatchObject([{ staging: record.staging, decision: 'go' }]);

  const upgrade = await (await stage.start('orders', '8.0')).result();
  expect(upgrade.result).toBe('completed');
  application.close();
}, 1_200_000);

test('aborted in the middle of its upgrade, it takes the copy away once that has ended', async () => {
  await using cluster = await Sandbox.cluster({ release: '7.0', primaries: 1 });
  await Dataset.write(cluster, 200);
  const rehearsals = new Rehearsals(stage, cluster);
  await rehearsals.deploy();
  await rehearsals.backUp();
  const handle = await rehearsals.start({ to: '8.0' });
  const operation = new Operation(stage.client.workflow, handle.workflowId, handle.firstExecutionRunId, 600_000);
  await operation.until(
    'the copy is being upgraded',
    ({ phase, shards }) => phase === 'rehearsing' && shards.length > 0,
  );
  await operation.tell('abort', { by: 'ana', reason: 'wrong target' });
  const { result, statement } = (await handle.result()) as { result: string; statement: string };
  expect(result).toBe('aborted');
  expect(statement).toContain('orders itself was not touched');
  expect(await rehearsals.left()).toEqual([]);
  expect(await rehearsals.records()).toMatchObject([{ decision: 'no-go' }]);
}, 1_200_000);
