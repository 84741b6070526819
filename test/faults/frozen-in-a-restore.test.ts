import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { until } from '../../scripts/sandbox/cluster.js';
import { BroughtBack, restored } from '../e2e/stage/brought-back.js';

// A worker freezes in the middle of a restore, right before it writes. Another goes on, and comes to the end; clients write.
// Then the first one wakes, and goes on where it stood. Nothing of what it does may arrive.
let given: BroughtBack;
beforeAll(async () => {
  given = await BroughtBack.open();
  given.stage.keepWorker();
});
afterEach(() => given.ask('FLUSHALL'));
afterAll(() => given[Symbol.asyncDispose]());

test.each([
  ['it gives a large value its name', 'its successor is at work', { at: 'RENAME', wakes: 'begun' }],
  ['it writes many keys', 'all is done', { at: 'SET ', wakes: 'told' }],
] as const)(
  'right before %s, and it wakes when %s',
  async (_, __, { at, wakes }) => {
    const { faults } = given.stage;
    const before = (await faults.awakenings()).length;
    await faults.draw({ activity: 'loadShard', when: 'during', at, kind: 'hang', wakes });

    const done = await restored(await given.restore('orders', { existing: 'replace' }));

    expect(await faults.unfired()).toEqual([]);
    expect(done).toMatchObject({
      result: 'completed',
      liveWriters: false,
      compared: [{ same: given.keys, missing: 0 }],
    });
    // What a client writes from now on is the truth.
    await given.ask('FLUSHALL');
    await given.ask('SET', 'list', 'of a client');
    if (wakes === 'told') await faults.wake();
    await until('it has come to its end', async () => (await faults.awakenings()).length === before + 1, 60_000);
    const [{ ended } = { ended: '' }] = (await faults.awakenings()).slice(before);
    expect(ended).not.toBe('done');
    expect([await given.size(), await given.ask('GET', 'list')]).toEqual([1, 'of a client']);
  },
  600_000,
);
