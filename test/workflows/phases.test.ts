// A step that was left out, and that nobody can tell from one that was forgotten.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { RolloutError } from '../../model/failures.js';
import { framePhases, phaseText } from '../../model/phases.js';
import type { OperationStatus } from '../../model/operation.js';
import { FakeStage } from './stage/fake-stage.js';

let stage: FakeStage;
beforeAll(async () => {
  stage = await FakeStage.open();
});
afterAll(() => stage[Symbol.asyncDispose]());

const verdicts = ({ phases = [] }: OperationStatus): string[] =>
  phases.map(({ phase, verdict }) => `${phase} ${verdict}`);

test('every phase has a verdict and how long it took; what the policy leaves out says which field does', async () => {
  const { operation } = await stage.run('plain', { policy: 'validation: { measure: 0s }' });
  expect(await operation.result()).toMatchObject({ result: 'completed' });
  const { status } = await operation.read();
  expect(verdicts(status)).toEqual([
    ...['assessment done', 'staging skipped', 'start approval skipped', 'baseline skipped', 'backup done'],
    ...['rolling done', 'validation done', 'soak skipped', 'finalize approval skipped', 'finalize done'],
  ]);
  const reasons = (status.phases ?? []).flatMap(({ verdict, reason }) => (verdict === 'skipped' ? [reason] : []));
  expect(reasons).toEqual([
    ...['policy.staging is optional', 'policy.approvals.start is left out', 'policy.validation.measure is 0s'],
    ...['policy.soak is 0s', 'policy.approvals.finalize is left out'],
  ]);
  for (const { from, until } of status.phases ?? [])
    expect(Date.parse(until ?? '')).toBeGreaterThanOrEqual(Date.parse(from));
  expect(new Set((status.phases ?? []).map(({ phase }) => phase))).toEqual(
    new Set(framePhases.filter((phase) => phase !== 'fallback')),
  );
});

test('a phase in which somebody let a gate go by says which and who', async () => {
  const { fake, operation } = await stage.run('overridden', { policy: 'soak: 1s' });
  fake.verdicts.set('memory shard-1', { state: 'fail', reason: 'no room', clears: 'there is room' });
  for (const before of [/before shard-1 replica/, /before the handover/]) {
    await operation.until(`it blocks ${before.source}`, ({ waiting }) =>
      waiting.some(({ reason }) => before.test(reason)),
    );
    await operation.tell('override', { by: 'ana', gate: 'memory', reason: 'there is enough' });
  }
  expect(await operation.result()).toMatchObject({ result: 'completed' });
  const { status } = await operation.read();
  const rolling = status.phases?.find(({ phase }) => phase === 'rolling');
  expect(rolling).toMatchObject({ verdict: 'overridden', reason: 'memory by ana, memory by ana' });
  expect(verdicts(status)).toContain('soak done');
});

test('the phase that it stopped in says why, and none that did not come is claimed', async () => {
  const fake = stage.deploy('stopping');
  fake.fail('handOver shard-1', new RolloutError('HandoverFailed', '10.0.1.1:6379 did not take the slots'));
  const operation = await stage.start('stopping');
  await operation.failure();
  const { phases = [] } = (await operation.read()).status;
  expect(phases.map(({ phase, verdict }) => `${phase} ${verdict}`)).toEqual([
    ...['assessment done', 'staging skipped', 'start approval skipped', 'baseline done', 'backup done'],
    'rolling stopped',
  ]);
  const last = phases.at(-1);
  expect(last?.reason).toContain('10.0.1.1:6379 did not take the slots');
  expect(last && phaseText(last, Date.now())).toMatch(/^rolling stopped after .* m?s: /);
});
