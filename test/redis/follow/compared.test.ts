/** A standby that is not as its primary, although nothing of the stream has failed. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { StandbyComparison } from '../../../model/follow-state.js';
import { connect, type Endpoint } from '../../../redis/connection.js';
import type { Command } from '../../../redis/resp.js';
import { until } from '../../../scripts/sandbox/cluster.js';
import { everyType } from '../verify/every-type.js';
import { send } from '../verify/pair.js';
import { differences, Follower } from './followed.js';
import { Shard } from './shard.js';
import { TwoServers } from './two-servers.js';

const quickly = { ttlToleranceMs: 1000, keysPerSecond: 100_000, share: 1, restMs: 50 };

test.each([
  ['8.0.6', '5.0.6'],
  ['valkey-9.1.2', '7.2.4'],
])(
  '%s → %s: keys that are changed by hand are found, named, copied again, and compared once more',
  async (source, target) => {
    await using shard = await Shard.start(source, target, { compare: quickly });
    const primary = shard.cluster.endpoint();
    shard.follower.start();
    await send(primary, [
      ...everyType(),
      ['SET', 'plain', 1],
      ...Array.from({ length: 2000 }, (_, i): Command => ['SET', `key:${i}`, i, 'EX', 500 + i]),
      ...Array.from({ length: 2000 }, (_, i): Command => ['HSET', 'a large hash', `field:${i}`, i]),
    ]);
    await shard.follower.drained();
    await passed(shard.follower, 2);
    expect(shard.follower.state?.comparison).toMatchObject({ found: 0, different: 0, notCompared: [] });

    await byHand(shard.standby, [
      ['SET', 'plain', 'other'],
      ['DEL', 'key:8'],
      ['PEXPIRE', 'key:9', 1000 * 60],
      ['HSET', 'a large hash', 'field:1500', 'other'],
      ['SADD', 'only there', 'x'],
    ]);
    await until('all five are found and put right', () => {
      const { found, repaired, different } = compared(shard.follower);
      return Promise.resolve(found === 5 && repaired === 5 && different === 0);
    });
    const { examples, resume } = compared(shard.follower);
    expect(Object.fromEntries(examples.map(({ key, what }) => [key, what]))).toEqual({
      plain: 'string: 1 bytes on the primary, other 5 bytes on the standby',
      'key:8': 'missing on the standby (a string on the primary)',
      'key:9': expect.stringMatching(/^expires .* on the primary, .* on the standby$/) as string,
      'a large hash': 'hash: field field:1500 differs',
      'only there': 'only on the standby (a set)',
    });
    expect(examples.every(({ repaired }) => repaired)).toBe(true);
    expect(resume?.open).toEqual([]);
    await shard.follower.drained();
    expect(await differences(primary, shard.standby, { asking: true })).toEqual([]);
  },
);

test.each([
  ['8.2.3', '6.2.14'],
  ['6.2.14', '5.0.6'],
])('%s → %s: nothing is found where clients write all the while', async (source, target) => {
  // Releases before 7.0 propagate an expiry as time left: it comes later at the standby by whatever that is behind.
  await using pair = await TwoServers.start(source, target, [], { ...quickly, ttlToleranceMs: 60_000 });
  const primary = pair.a.endpoint();
  await send(primary, everyType());
  pair.follower.start();
  await pair.follower.drained();
  let ended = false;
  const stopped = (): boolean => ended;
  const writing = (async () => {
    for (let turn = 0; !stopped(); turn++) {
      await pair.primary.pipeline(written(turn));
      // A follower that is behind compares nothing.
      await sleep(10);
    }
  })();
  try {
    await passed(pair.follower, 2);
  } finally {
    ended = true;
    await writing;
  }
  const { examples } = compared(pair.follower);
  // What 6.2 says of expiries is relative: applied late, they are late indeed, and set right.
  const late = source.startsWith('6.') ? examples.filter(({ what }) => what.startsWith('expires')) : [];
  expect(examples).toEqual(late);
  // One that ends at this very moment is here and not there.
  await pair.primary.call('DEL', ...Array.from({ length: 20 }, (_, i) => `session:${i}`));
  await pair.follower.drained();
  await passed(pair.follower, 2);
  await until('nothing differs', () => Promise.resolve(compared(pair.follower).different === 0));
  expect(await differences(primary, pair.b.endpoint())).toEqual([]);
});

test('a key that is written to all the while, and differs in what is not', async () => {
  await using pair = await TwoServers.start('8.0.6', '5.0.6', [], quickly);
  const primary = pair.a.endpoint();
  const fields = Array.from({ length: 3000 }, (_, i): Command => ['HSET', 'hot', `field:${i}`, i]);
  await send(primary, fields);
  pair.follower.start();
  await pair.follower.drained();
  let ended = false;
  const stopped = (): boolean => ended;
  const writing = (async () => {
    for (let turn = 0; !stopped(); turn++) await send(primary, [['HSET', 'hot', `field:${turn % 100}`, turn]]);
  })();
  try {
    await pair.standby.call('HSET', 'hot', 'field:2000', 'other');
    await until('it is put right', () => Promise.resolve(compared(pair.follower).repaired === 1));
  } finally {
    ended = true;
    await writing;
  }
  expect(await pair.standby.call('HGET', 'hot', 'field:2000')).toBe('2000');
  expect(compared(pair.follower).examples).toMatchObject([{ key: 'hot', repaired: true }]);
});

test('another database, a follower that dies within a pass, and what it had found then', async () => {
  const compare = { ...quickly, keysPerSecond: 2000 };
  await using pair = await TwoServers.start('8.0.6', '7.0.15', [], compare);
  const primary = pair.a.endpoint();
  await send(primary, [
    ...Array.from({ length: 4000 }, (_, i): Command => ['SET', `key:${i}`, i]),
    ['SELECT', 3],
    ['SET', 'in three', 1],
  ]);
  pair.follower.start();
  await pair.follower.drained();
  await until('a part is compared', () => Promise.resolve(compared(pair.follower).keys >= 1000));
  await pair.follower.end();
  const before = compared(pair.follower);
  expect(before.passes).toBe(0);
  await using byHand = await connect(pair.b.endpoint());
  await byHand.pipeline([
    ['SELECT', 3],
    ['SET', 'in three', 'other'],
  ]);
  // As an attempt that found it, and died before it had copied it.
  const key = Buffer.from('in three').toString('base64');
  const known: StandbyComparison = {
    ...{ ...before, different: 1, found: 1, examples: [{ key: 'in three (db 3)', what: 'string', repaired: false }] },
    resume: { ...resumeOf(before), open: [{ db: 3, key, what: 'string', copies: 0 }] },
  };
  const next = new Follower({ ...pair.follower.options, compare: { ...compare, known } }).start();
  try {
    await until('it goes on', () => Promise.resolve(next.state?.comparison?.passes === 1));
    await until('the key is put right', () => Promise.resolve(compared(next).repaired === 1));
    const after = compared(next);
    // Some hundred keys may be compared twice; a pass that begins anew would compare a thousand so.
    expect(after.lastPass?.keys).toBeGreaterThanOrEqual(4001);
    expect(after.lastPass?.keys).toBeLessThan(4700);
    expect(after).toMatchObject({ found: 1, different: 0, examples: [{ key: 'in three (db 3)', repaired: true }] });
  } finally {
    await next.end();
  }
  expect(await differences(primary, pair.b.endpoint(), { db: 3 })).toEqual([]);
});

test('what the older release can’t hold is counted as not compared, and not as different', async () => {
  await using pair = await TwoServers.start('8.0.6', '5.0.6', [], quickly);
  await send(pair.a.endpoint(), [
    ['SET', 'plain', 1],
    ['VADD', 'vectors', 'VALUES', 3, 1, 2, 3, 'element'],
  ]);
  pair.follower.start();
  await pair.follower.drained();
  await passed(pair.follower, 2);
  expect(compared(pair.follower)).toMatchObject({
    found: 0,
    notCompared: [{ what: 'values of type vectorset', count: 1, examples: ['vectors'] }],
  });
});

function compared({ state, failure }: Follower): StandbyComparison {
  if (failure) throw failure as Error;
  return state?.comparison ?? { ...nothing };
}

const nothing: StandbyComparison = {
  ...{ keys: 0, expectedKeys: 0, passes: 0, different: 0, found: 0, repaired: 0 },
  examples: [],
  notCompared: [],
};

function resumeOf({ resume }: StandbyComparison): NonNullable<StandbyComparison['resume']> {
  if (!resume) throw new Error('a point to go on from was expected');
  return resume;
}

/** So many whole passes from now on. */
async function passed(follower: Follower, times: number): Promise<void> {
  const from = compared(follower).passes;
  try {
    await until(`${times} passes`, () => Promise.resolve(compared(follower).passes >= from + times), 60_000);
  } catch (error) {
    throw new Error(`${(error as Error).message}; ${JSON.stringify(follower.state)}`, { cause: error });
  }
}

async function byHand(standby: Endpoint, commands: readonly Command[]): Promise<void> {
  await using connection = await connect(standby);
  const replies = await connection.pipeline(commands.flatMap((it) => [['ASKING'], it]));
  for (const reply of replies) if (reply instanceof Error) throw reply;
}

/** Writes of every type to few keys, each turn others. */
function written(turn: number): Command[] {
  const n = turn % 20;
  return [
    ['INCR', 'counter'],
    ['SET', `session:${n}`, turn, 'EX', 1],
    ['EXPIRE', `session:${(n + 7) % 20}`, 300],
    ['SET', 'flips', turn % 2],
    ['APPEND', `text:${n}`, 'x'.repeat(100)],
    ['RPUSH', `list:${n}`, turn, turn + 1],
    ['LPOP', `list:${n}`],
    ['HSET', 'hash', `field:${turn % 3000}`, turn],
    ['SADD', 'set', turn % 5000],
    ['SPOP', 'set'],
    ['ZINCRBY', 'scores', 0.1, `member:${n}`],
    ['XADD', 'stream', '*', 'turn', turn],
    ['XGROUP', 'CREATE', `stream`, `group:${n}`, '$'],
    ['XREADGROUP', 'GROUP', 'group:0', 'someone', 'COUNT', 1, 'STREAMS', 'stream', '>'],
    ['MULTI'],
    ['INCR', 'a'],
    ['INCR', 'b'],
    ['EXEC'],
    ['SET', `moved:${n}`, turn],
    ['RENAME', `moved:${n}`, `moved:${(n + 1) % 20}`],
    ['SELECT', 2],
    ['SET', `in two:${n}`, turn, 'PX', 50 + n],
    ['SELECT', 0],
  ];
}
