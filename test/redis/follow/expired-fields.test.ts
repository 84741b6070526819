/** Fields of a hash that have expired and are not deleted yet: the primary no longer shows them, a standby still has them. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { until } from '../../../scripts/sandbox/cluster.js';
import { send } from '../verify/pair.js';
import { differences } from './followed.js';
import { TwoServers } from './two-servers.js';

test.each([
  ['valkey-9.1.2', '7.2.4'],
  ['8.2.3', '7.4.1'],
  ['8.0.6', '6.2.14'],
])('%s → %s: copied, renamed and written to', async (source, target) => {
  await using pair = await TwoServers.start(source, target, ['enable-debug-command yes']);
  const primary = pair.a.endpoint();
  pair.follower.start();
  await send(primary, [['DEBUG', 'SET-ACTIVE-EXPIRE', 0]]);
  for (const name of ['some', 'all', 'renamed', 'all:renamed', 'written', 'counted', 'onto'])
    await send(primary, [
      ['HSET', name, 'goes', 1, 'stays', 2],
      ['HPEXPIRE', name, 5, 'FIELDS', 1, 'goes'],
      ...(name.startsWith('all') ? [['HPEXPIRE', name, 5, 'FIELDS', 1, 'stays'] as const] : []),
    ]);
  await sleep(20);
  await send(primary, [
    ['COPY', 'some', 'copy:some'],
    ['COPY', 'some', 'onto', 'REPLACE'],
    ['COPY', 'some', 'copy:elsewhere', 'DB', 3],
    ['COPY', 'all', 'copy:all'],
    ['COPY', 'all', 'copy:all:filled'],
    ['HSET', 'copy:all:filled', 'a', 1],
    ['COPY', 'all', 'copy:all:renamed'],
    ['RENAME', 'copy:all:renamed', 'onto:renamed'],
    ['RENAME', 'renamed', 'has been'],
    ['HSET', 'has been', 'more', 3],
    ['RENAME', 'all:renamed', 'all:has been'],
    ['HSET', 'written', 'goes', 5],
    ['HINCRBY', 'counted', 'goes', 5],
  ]);
  await send(primary, [['DEBUG', 'SET-ACTIVE-EXPIRE', 1]]);
  // Valkey keeps them as hashes without fields, which nobody can make by a command: they are named.
  const empty = source.startsWith('valkey') ? ['copy:all', 'onto:renamed'] : [];
  let left: string[] = [];
  await until('what expired is gone', async () => {
    await pair.follower.drained();
    left = (await differences(primary, pair.b.endpoint())).sort();
    return left.join() === empty.join();
  }).catch(() => undefined);
  expect(left).toEqual(empty);
  await until('they are named', () => {
    const lost = pair.follower.state?.notRepresentable.find(({ what }) => what === 'hashes without fields');
    return empty.every((it) => lost?.examples.includes(it));
  });
  expect(await differences(primary, pair.b.endpoint(), { db: 3 })).toEqual([]);
});
