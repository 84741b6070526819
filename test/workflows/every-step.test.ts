// Somebody pauses or aborts in the middle of any step there is: the node that is out comes back, and what is said is true.
import { afterAll, expect, test } from 'vitest';
import type { OperationStatus } from '../../model/operation.js';
import { until } from '../../scripts/sandbox/cluster.js';
import type { Operation } from '../../scripts/sandbox/operation.js';
import type { FakeDeployment } from './stage/fake-deployment.js';
import { FakeStage } from './stage/fake-stage.js';
import { thorough } from '../thorough.js';

const stage = await FakeStage.open();
const held: (() => void)[] = [];
afterAll(() => {
  for (const release of held) release();
  return stage[Symbol.asyncDispose]();
});

/** Every act of an upgrade, in the order in which each begins: found, not written down. */
const steps = await (async () => {
  const { fake, operation } = await stage.run('all-steps');
  await operation.result();
  return [...fake.begun.keys()];
})();
/** After these nothing is left to hold back: a pause has nothing to do, and the end has been decided by the last. */
const last = { readLedger: 'readLedger', writeReport: 'writeReport' };
/** Begun with the first of them, the way back is closed to the end. */
const isClosing = (step: string): boolean => step === last.readLedger || step.startsWith('removeStandby');
/** From the save of the primary on nothing is left to begin in its shard. */
const isLastOfShard = (step: string): boolean =>
  /^(handOver|putBackShard)/.test(step) || (step.endsWith(' 10.0.1.0:6379') && !step.startsWith('prepareShard'));

interface Said {
  name: string;
  step: string;
  fake: FakeDeployment;
  operation: Operation;
  control: 'pause' | 'abort';
}

const reason = 'an incident';
const signal = ({ operation, control }: Said): Promise<void> =>
  stage.handle(operation.workflowId).signal(control, { by: 'ana', reason });
const update = async ({ operation, control }: Said): Promise<void> => {
  expect(await operation.tell(control, { by: 'ana', reason })).toHaveProperty('done');
};
/** To the shard's own workflow where it runs by then: whoever watches it in Temporal's UI says it there. */
const toTheChild = async (said: Said): Promise<void> => {
  const child = stage.handle(`redis/${said.name}/shard-1`);
  const runs = await child.describe().then(
    ({ status }) => status.name === 'RUNNING',
    () => false,
  );
  if (!runs) return update(said);
  await child.executeUpdate(said.control, { args: [{ by: 'ana', reason }] });
};
const cancel = async ({ operation }: Said): Promise<void> => {
  await stage.handle(operation.workflowId).cancel();
};
const turn = <Item>(items: readonly Item[], i: number): Item => items[i % items.length] as Item;

/** Starts an upgrade and holds it in the step; the returned function lets it go on. */
async function holdIn(name: string, step: string): Promise<Omit<Said, 'control'> & { release: () => void }> {
  const fake = stage.deploy(name);
  const release = fake.hold(step);
  held.push(release);
  const operation = await stage.start(name);
  await expect.poll(() => fake.begun.has(step), { timeout: 60_000, interval: 20 }).toBe(true);
  return { name, step, fake, operation, release };
}

/** The statement against what the nodes really are. */
function expectTrue({ fake }: Pick<Said, 'fake'>, statement: string, touched: boolean): void {
  expect(fake.isolated()).toEqual([]);
  expect(fake.primaries()).toHaveLength(1);
  const upgraded = fake.releases().filter((release) => release === '8.0.6').length;
  if (touched) expect(statement).toContain(`${upgraded} of 2 nodes run 8.0.6`);
  else expect([statement.includes('Nothing was touched'), upgraded]).toEqual([true, 0]);
  // Whatever was stopped was compared and released.
  for (const swapped of fake.done.filter((it) => it.startsWith('swapVersion')))
    expect(fake.done).toContain(swapped.replace('swapVersion', 'release'));
}

/**
 * What was said before the first child began keeps every node from being touched. A child that runs is told by its
 * parents, one after the other: what it is about to begin meanwhile it begins.
 */
function expectHeeded({ fake }: Pick<Said, 'fake'>, early: boolean): void {
  if (early) expect(fake.done.filter((it) => it.startsWith('isolate'))).toEqual([]);
}
const isEarly = ({ fake }: Pick<Said, 'fake'>): boolean => !fake.begun.has('assess shard-1');

const isTouched = ({ fake }: Pick<Said, 'fake'>): boolean =>
  [...fake.begun.keys()].some((it) => it.startsWith('backUpShard'));
const asked = ({ asked: it }: OperationStatus) => it && [it.what, it.by];

/** One is aborted, the next but one paused; a thorough run does both in each. */
const every = (of: 0 | 1): [step: string, i: number][] =>
  steps.filter((_, i) => thorough || i % 4 === 2 * of).map((step, i) => [step, i]);

test.concurrent.each(every(0))(
  'abort during %s',
  async (step, i) => {
    const said = { ...(await holdIn(`abort-${i}`, step)), control: 'abort' as const };
    const { operation } = said;
    if (step === last.writeReport) {
      expect(await operation.tell('abort', { by: 'ana' })).toMatchObject({
        refused: expect.stringContaining('it has ended (completed)') as string,
      });
      said.release();
      expect(await operation.result()).toMatchObject({ result: 'completed' });
      return;
    }
    const how = turn([update, signal, cancel, toTheChild], i);
    const early = isEarly(said);
    await how(said);
    // A look at gates ends at once: then the operation may be over already.
    if (how !== toTheChild && !step.startsWith('checkGates')) {
      const by = how === cancel ? 'a request to cancel' : 'ana';
      await operation.until('it is shown within the step', (status) => asked(status)?.join() === `abort,${by}`);
      // Once is enough.
      expect(await operation.tell('abort', { by: 'ben' })).toEqual({
        refused: `it is being aborted already, by ${by}`,
      });
      expect(await operation.tell('pause', { by: 'ben' })).toEqual({ refused: `it is being aborted, by ${by}` });
    }
    said.release();
    const outcome = await operation.result();
    expect(outcome.result).toBe('aborted');
    expectHeeded(said, early);
    expect(outcome.statement).toMatch(how === cancel ? /cancel/ : /ana.*an incident/);
    expectTrue(said, outcome.statement, !outcome.statement.includes('Nothing was touched'));
    if (isTouched(said) && said.fake.done.some((it) => it.startsWith('isolate')))
      expect(outcome.statement).not.toContain('Nothing was touched');
  },
  600_000,
);

test.concurrent.each(every(1))(
  'pause during %s',
  async (step, i) => {
    const said = { ...(await holdIn(`pause-${i}`, step)), control: 'pause' as const };
    const { operation, fake } = said;
    if (step === last.writeReport) {
      expect(await operation.tell('pause', { by: 'ana' })).toHaveProperty('refused');
      said.release();
      expect(await operation.result()).toMatchObject({ result: 'completed' });
      return;
    }
    const how = turn([signal, toTheChild, update], i);
    const early = isEarly(said);
    await how(said);
    if (how !== toTheChild) {
      await operation.until('it is shown within the step', (status) => asked(status)?.join() === 'pause,ana');
      expect(await operation.tell('pause', { by: 'ben' })).toMatchObject({
        refused: expect.stringContaining('paused already, by ana') as string,
      });
    }
    said.release();
    if (isClosing(step) || (how === toTheChild && isLastOfShard(step))) {
      expect(await operation.result()).toMatchObject({ result: 'completed' });
      return;
    }
    await operation.waits('pause', 'pause');
    // No node is out while it is paused, whatever was in hand.
    expect(fake.isolated()).toEqual([]);
    expectHeeded(said, early);
    const done = [...fake.done];
    if (turn([true, false], i)) {
      expect(await operation.tell('abort', { by: 'ben', reason: 'no more' })).toHaveProperty('done');
      const outcome = await operation.result();
      expect(outcome.result).toBe('aborted');
      expectTrue(said, outcome.statement, !outcome.statement.includes('Nothing was touched'));
      expect(fake.done.filter((it) => !done.includes(it) && !it.startsWith('putBack'))).toEqual([]);
    } else {
      // The child shows its pause a moment before the root has heard of it.
      await until('it is resumed', async () => 'done' in (await operation.tell('resume', { by: 'ben' })), 60_000);
      expect(await operation.result()).toMatchObject({ result: 'completed' });
      expectTrue(said, `${fake.releases().length} of 2 nodes run 8.0.6`, true);
      expect(fake.releases()).toEqual(['8.0.6', '8.0.6']);
    }
  },
  600_000,
);

test('these are all the steps that there are, a node’s and its primary’s among them', () => {
  expect(steps).toEqual(
    expect.arrayContaining([
      ...['assess', 'checkGates', 'runProbe', 'backUpShard shard-1', 'completeBackup shard-1', 'handOver shard-1'],
      ...['isolate', 'snapshot', 'swapVersion', 'rejoin', 'verifyNode', 'release'].flatMap((act) => [
        `${act} 10.0.1.1:6379`,
        `${act} 10.0.1.0:6379`,
      ]),
      ...['readShard shard-1', 'checkGates shard-1', 'readLedger', 'writeReport'],
    ]),
  );
});
