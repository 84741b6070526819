import { expect, test } from 'vitest';
import { until } from '../../../scripts/sandbox/cluster.js';
import { Pair } from './pair.js';

// Link up, equal offsets, lag 0: and every SET with an expiry and every LMOVE of the last hour is missing.
test('a 5.0.6 replica that silently drops an 8.0 primary’s commands is caught', async () => {
  await using pair = await Pair.start('5.0.6', '8.0.6');
  await pair.write([
    ['SET', 'before', 1],
    ['SET', 'session', 'old'],
    ['RPUSH', 'queue', 'a', 'b', 'c'],
  ]);
  await pair.synced();
  const { primary: old, replica: newer } = pair;
  await newer.call('REPLICAOF', 'NO', 'ONE');
  await old.call('REPLICAOF', '127.0.0.1', pair.endpoints.replica.port);
  await until('the old one follows', async () =>
    String(await old.call('INFO', 'replication')).includes('master_link_status:up'),
  );
  // A full sync would have emptied it (newer RDB): what is tried here is the one that looks healthy.
  expect(String(await newer.call('INFO', 'stats'))).toContain('sync_partial_ok:1');

  const swapped = { primary: pair.endpoints.replica, replica: pair.endpoints.primary };
  expect(await pair.verify(swapped)).toMatchObject({ different: 0, keys: 3 });
  await newer.call('SET', 'session', 'new', 'EX', 1000);
  await newer.call('SET', 'another', 'new', 'PX', 100_000);
  await newer.call('LMOVE', 'queue', 'done', 'LEFT', 'RIGHT');
  await newer.call('SET', 'understood', 'yes');
  const { examples, different } = await pair.verify(swapped);
  expect(String(await old.call('INFO', 'replication'))).toContain('master_link_status:up');
  expect(Object.fromEntries(examples.map(({ key, what }) => [key, what]))).toEqual({
    session: expect.stringMatching(/expires 20.* on the primary, never on the replica/) as string,
    another: 'missing on the replica (a string on the primary)',
    queue: 'list: 2 elements on the primary, 3 on the replica',
    done: 'missing on the replica (a list on the primary)',
  });
  expect(different).toBe(4);
});
