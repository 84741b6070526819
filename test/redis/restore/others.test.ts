// What is not in the backup stays, or, worse, what is in it is removed.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { keySlot } from '../../../redis/probe/slot.js';
import { hashOf, KeySet } from '../../../redis/restore/key-set.js';
import { loadSnapshot } from '../../../redis/restore/load.js';
import { othersThan } from '../../../redis/restore/others.js';
import { selects } from '../../../redis/restore/selection.js';
import { Sandbox, until } from '../../../scripts/sandbox/cluster.js';
import { readTopology } from '../../../redis/topology.js';
import { contentOfCluster, into, snapshotOf } from './loaded.js';

test('a set of keys knows each that was added, and none that was not', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.string({ maxLength: 6 }), { maxLength: 3000 }), fc.nat(), (keys, cut) => {
      const known = keys.slice(0, keys.length === 0 ? 0 : cut % keys.length);
      const set = new KeySet();
      for (const key of [...known, ...known]) set.add(hashOf(Buffer.from(key)));
      expect(set.size).toBe(known.length);
      expect(keys.filter((key) => set.has(hashOf(Buffer.from(key))))).toEqual(known);
    }),
    { numRuns: 200 },
  );
  const many = new KeySet();
  for (let i = 0; i < 300_000; i++) many.add(hashOf(Buffer.from(`user:${i}`)));
  expect(many.size).toBe(300_000);
});

test('a cluster that has more: counted, removed in several passes, within slots and a pattern; what expired goes, too', async () => {
  await using server = await Sandbox.servers(1, { release: '7.2' });
  await using cluster = await Sandbox.cluster({ release: '7.2', primaries: 2, replicasEach: 1 });
  await using node = await server.connect(undefined, { timeoutMs: 60_000 });
  await node.pipeline(Array.from({ length: 5000 }, (_, i) => ['SET', `kept:${i}`, i]));
  await node.call('SET', 'short', 'lived', 'PX', 3000);
  const { source } = await snapshotOf(server);
  await loadSnapshot({ ...into(cluster), source, existing: 'replace' });
  const here = new Set((await contentOfCluster(cluster)).keys());
  await node.pipeline(Array.from({ length: 3000 }, (_, i) => ['SET', `other:${i}`, i]));
  const all = await snapshotOf(server);
  await loadSnapshot({ ...into(cluster), source: all.source, existing: 'replace' });
  await until('it has expired', async () => (await node.call('EXISTS', 'short')) === 0);
  const slot = keySlot('short');
  const owner = await serving(cluster, slot);
  await cluster.ask(owner, 'SET', 'short', 'written again');
  const input = { ...into(cluster), open: source.open, keys: 5001, held: 1500 };
  const attempt = { shard: 'shard-1', epoch: 1, missedAfterMs: 10_000 };

  // Only what is meant, of the slots that the shard of the backup has.
  const half: [number, number][] = [[0, 8191]];
  const low = Array.from({ length: 3000 }, (_, i) => `other:${i}`).filter((key) => keySlot(key) <= 8191);
  expect(await othersThan({ ...input, slots: half, selects: selects({ pattern: 'other:*' }) })).toMatchObject({
    ...{ found: low.length, removed: 0 },
  });
  const some = selects({ pattern: 'other:1*' });
  const ones = low.filter((key) => key.startsWith('other:1'));
  expect(await othersThan({ ...input, slots: half, selects: some, remove: attempt })).toMatchObject({
    ...{ removed: ones.length, left: 0 },
  });
  expect((await contentOfCluster(cluster)).size).toBe(5000 + 3000 + 1 - ones.length);

  const whole: [number, number][] = [[0, 16383]];
  const rest = await othersThan({ ...input, slots: whole, remove: attempt });
  expect(rest).toMatchObject({ removed: 3001 - ones.length, left: 0 });
  expect(rest.examples).toHaveLength(10);
  here.delete('short');
  expect(new Set((await contentOfCluster(cluster)).keys())).toEqual(here);
  expect(await othersThan({ ...input, slots: whole, remove: attempt })).toMatchObject({ found: 0, removed: 0 });

  // A later attempt is there: this one touches nothing.
  await cluster.ask(owner, 'SET', 'short', 'once more');
  await using later = await cluster.connect(cluster.nodes.find(({ address }) => address === owner));
  await later.call('CLIENT', 'SETNAME', 'redis-rollout-restores:shard-1:2');
  await expect(othersThan({ ...input, slots: whole, remove: attempt })).rejects.toMatchObject({ type: 'Fenced' });
  expect(await cluster.ask(owner, 'GET', 'short')).toBe('once more');
}, 240_000);

async function serving(cluster: Sandbox, slot: number): Promise<string> {
  const { endpoint, seeds } = into(cluster);
  const { shards } = await readTopology(endpoint, seeds);
  return shards.find(({ slots }) => slots.some(([from, to]) => from <= slot && slot <= to))?.primary.address ?? '';
}
