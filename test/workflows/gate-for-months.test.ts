// A gate that blocks for months must not end the upgrade by filling its history.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { lookOf, pollMs } from '../../model/gates/looks.js';
import { wait } from '../../model/verdict.js';
import { MOST_EVENTS } from '../../scripts/simulation/bounds.js';
import { FakeStage } from './stage/fake-stage.js';

let stage: FakeStage;
beforeAll(async () => {
  stage = await FakeStage.open({ timeSkipping: true });
});
afterAll(() => stage[Symbol.asyncDispose]());

const THREE_MONTHS_MS = 92 * 86_400_000;
const LOOKS = 12;

const looksIn = (ms: number): number => {
  let looks = 0;
  for (let left = ms; left > 0; looks++) left -= lookOf(looks).patienceMs + lookOf(looks).pauseMs;
  return looks;
};

test('a gate that blocks for three months costs less than a fifth of the history, at the shard and at the root', async () => {
  const fake = stage.deploy('months');
  // Each look finds something else to say, which is told to the root: the dearest that a look can be.
  let looks = 0;
  fake.patient = false;
  fake.onLook = ({ shard }) => {
    if (shard === undefined || looks >= LOOKS) fake.verdicts.clear();
    else fake.verdicts.set('memory shard-1', wait(`${looks++} % free`, '10 % are free'));
  };
  const operation = await stage.start('months');
  expect(await operation.result()).toMatchObject({ result: 'completed' });
  expect(looks).toBe(LOOKS);

  const plain = await (await stage.run('at-once')).operation.result();
  expect(plain).toMatchObject({ result: 'completed' });
  for (const id of ['', '/shard-1']) {
    const [blocked, unblocked] = await Promise.all(
      ['months', 'at-once'].map(async (name) => (await stage.events(`redis/${name}${id}`)).length),
    );
    const each = ((blocked ?? 0) - (unblocked ?? 0)) / LOOKS;
    expect(each).toBeGreaterThan(3);
    expect((unblocked ?? 0) + each * looksIn(THREE_MONTHS_MS)).toBeLessThan(MOST_EVENTS);
  }
});

test('however long it has blocked, that it passes is noticed within half a minute', () => {
  for (let round = 0; round < 100; round++) {
    const { patienceMs, pauseMs } = lookOf(round);
    expect(pollMs(patienceMs) + pauseMs).toBeLessThanOrEqual(30_000);
  }
});
