import { expect, test } from 'vitest';
import { Pair } from './pair.js';

const KEYS = Array.from({ length: 500 }, (_, i) => `session:${i}`);

// A node that was away for five seconds gives every key written meanwhile five seconds more to live, and nobody notices.
test.each([
  ['5.0.6', '8.0'],
  ['6.2', '7.0'],
  ['8.0', '8.2'],
])(
  'expiries that drifted on a %s → %s replica are set right, and only they',
  { timeout: 120_000 },
  async (from, to) => {
    await using pair = await Pair.start(from, to);
    await pair.write(KEYS.map((key) => ['SET', key, 'token', 'EX', 1000] as const));
    await pair.write([['SET', 'forever', '1']]);
    await pair.tamper(KEYS.slice(0, 200).map((key) => ['PEXPIRE', key, 1_005_700] as const));
    const before = Number(await pair.primary.call('PTTL', 'session:0'));

    expect(await pair.verify()).toMatchObject({ different: 200 });
    const repaired = await pair.verify({ repairExpiries: true });
    expect(repaired).toMatchObject({ different: 0, repaired: 200 });
    expect(repaired.ttlDriftMs).toBeGreaterThan(4000);
    expect(await pair.verify()).toMatchObject({ different: 0, repaired: 0 });

    const left = Number(await pair.primary.call('PTTL', 'session:0'));
    expect(left).toBeLessThanOrEqual(before);
    expect(await pair.replica.call('PTTL', 'forever')).toBe(-1);
  },
);

test('a key whose expiry is on one side only is a difference, and is left as it is', { timeout: 120_000 }, async () => {
  await using pair = await Pair.start('5.0.6', '8.0');
  await pair.write([['SET', 'key', '1', 'EX', 1000]]);
  await pair.tamper([['PERSIST', 'key']]);
  expect(await pair.verify({ repairExpiries: true })).toMatchObject({ different: 1, repaired: 0 });
});
