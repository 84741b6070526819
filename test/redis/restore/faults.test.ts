/** A target that fails over, moves a slot, or is full in the middle of a restore: a key that is lost, or half of one. */
import { expect, test } from 'vitest';
import { compareWithTarget } from '../../../redis/restore/compare.js';
import type { RestoreCounts } from '../../../redis/restore/counts.js';
import { loadSnapshot } from '../../../redis/restore/load.js';
import { keySlot } from '../../../redis/probe/slot.js';
import { readTopology } from '../../../redis/topology.js';
import { Sandbox, until } from '../../../scripts/sandbox/cluster.js';
import { into, snapshotOf } from './loaded.js';

const KEYS = 30_000;

/** A snapshot of many small keys, some of them expiring, and one large. */
async function manyKeys(server: Sandbox) {
  await using node = await server.connect(undefined, { timeoutMs: 60_000 });
  for (let i = 0; i < KEYS; i += 5000)
    await node.pipeline(
      Array.from({ length: 5000 }, (_, n) =>
        n % 3 === 0 ? ['HSET', `key:${i + n}`, 'field', i + n] : ['SET', `key:${i + n}`, `value ${i + n}`, 'EX', 3000],
      ),
    );
  for (let i = 0; i < 40_000; i += 1000)
    await node.call('RPUSH', 'large', ...Array.from({ length: 1000 }, (_, n) => `element ${i + n}`));
  return await snapshotOf(server);
}

async function primaries(cluster: Sandbox) {
  const { endpoint, seeds } = into(cluster);
  return (await readTopology(endpoint, seeds)).shards;
}

test('a primary that dies: what its replica did not have is written again', async () => {
  await using server = await Sandbox.servers(1, { release: '8.0' });
  await using cluster = await Sandbox.cluster({ release: '8.0', configuration: ['cluster-node-timeout 1500'] });
  const { source } = await manyKeys(server);
  const [first] = await primaries(cluster);
  const victim = cluster.nodes.find(({ address }) => address === first?.primary.address);
  if (!victim) throw new Error('no primary');
  let killed: Promise<void> | undefined;
  const counts = await loadSnapshot({
    ...{ ...into(cluster), source, existing: 'replace', rate: 8000 },
    onProgress: ({ selected }) => {
      if (selected > KEYS / 3) killed ??= cluster.kill(victim);
    },
  });
  await killed;

  expect(killed).toBeDefined();
  expect(counts).toMatchObject({ selected: KEYS + 1, written: KEYS + 1, kept: 0, refused: 0 });
  const now = await primaries(cluster);
  expect(now.map(({ primary }) => primary.address)).not.toContain(victim.address);
  const compared = await compareWithTarget({ ...into(cluster), snapshot: source.open() });
  expect(compared).toMatchObject({ keys: KEYS + 1, same: KEYS + 1, examples: [] });
}, 360_000);

test('slots that move away meanwhile: their keys go where they went', async () => {
  await using server = await Sandbox.servers(1, { release: '7.0' });
  await using cluster = await Sandbox.cluster({ release: '7.0', primaries: 2, replicasEach: 0 });
  const { source } = await manyKeys(server);
  const [a, b] = await primaries(cluster);
  if (!a || !b) throw new Error('two shards');
  const slot = a.slots[0]?.[0] ?? 0;
  const move = async (): Promise<void> => {
    const [from, to] = [a.primary.address, b.primary.address];
    await cluster.ask(to, 'CLUSTER', 'SETSLOT', slot, 'IMPORTING', a.primary.id);
    await cluster.ask(from, 'CLUSTER', 'SETSLOT', slot, 'MIGRATING', b.primary.id);
    const keys = (await cluster.ask(from, 'CLUSTER', 'GETKEYSINSLOT', slot, 1000)) as string[];
    const [host = '', port = ''] = to.split(':');
    for (const key of keys) await cluster.ask(from, 'MIGRATE', host, port, key, 0, 5000);
    for (const address of [to, from]) await cluster.ask(address, 'CLUSTER', 'SETSLOT', slot, 'NODE', b.primary.id);
  };
  let moved: Promise<void> | undefined;
  const counts = await loadSnapshot({
    ...{ ...into(cluster), source, existing: 'keep', rate: 8000 },
    onProgress: ({ selected }) => {
      if (selected > KEYS / 4) moved ??= move();
    },
  });
  await moved;

  const inSlot = Array.from({ length: KEYS }, (_, i) => `key:${i}`).filter((key) => keySlot(key) === slot);
  expect(inSlot.length).toBeGreaterThan(0);
  expect(await cluster.ask(b.primary.address, 'CLUSTER', 'COUNTKEYSINSLOT', slot)).toBe(inSlot.length);
  expect(counts.selected).toBe(KEYS + 1);
  // MIGRATE hands on what is left of a key's time, and a millisecond passes on the way.
  const compared = await compareWithTarget({ ...into(cluster), snapshot: source.open(), expiryToleranceMs: 1000 });
  expect(compared).toMatchObject({ keys: KEYS + 1, same: KEYS + 1, examples: [] });
}, 360_000);

test('a full target is one error with its name, and no key is half there', async () => {
  await using server = await Sandbox.servers(1, { release: '6.2' });
  await using cluster = await Sandbox.cluster({ release: '6.2', primaries: 2, replicasEach: 0 });
  const { source } = await manyKeys(server);
  const shards = await primaries(cluster);
  for (const { primary } of shards)
    await cluster.ask(primary.address, 'CONFIG', 'SET', 'maxmemory', primary.usedMemoryBytes + 400_000);
  await expect(loadSnapshot({ ...into(cluster), source, existing: 'keep' })).rejects.toMatchObject({
    type: 'TargetFull',
    message: expect.stringMatching(/^127\.0\.0\.1:\d+ has no memory left for the backup: OOM/) as string,
  });
  const compared = await compareWithTarget({ ...into(cluster), snapshot: source.open() });
  expect(compared.different).toBe(0);
  expect(compared.missing).toBeGreaterThan(0);

  for (const { primary } of shards) await cluster.ask(primary.address, 'CONFIG', 'SET', 'maxmemory', 0);
  await loadSnapshot({ ...into(cluster), source, existing: 'keep' });
  expect(await compareWithTarget({ ...into(cluster), snapshot: source.open() })).toMatchObject({ same: KEYS + 1 });
  const left = await Promise.all(
    shards.map(({ primary }) => cluster.ask(primary.address, 'KEYS', 'redis-rollout-restores:*')),
  );
  expect(left.flat()).toEqual([]);
}, 360_000);

test('an attempt that ends in the middle is gone on with, and counts nothing twice', async () => {
  await using server = await Sandbox.servers(1, { release: '8.0' });
  await using cluster = await Sandbox.cluster({ release: '8.0', primaries: 2 });
  const { source } = await manyKeys(server);
  const cut = new AbortController();
  let last: RestoreCounts | undefined;
  const first = loadSnapshot({
    ...{ ...into(cluster), source, existing: 'replace', rate: 6000, signal: cut.signal },
    onProgress: (_, confirmed) => {
      last = structuredClone(confirmed);
      if (confirmed.read > 5000) cut.abort();
    },
  });
  await expect(first).rejects.toThrow(/abort/i);
  const confirmed = last;
  if (!confirmed) throw new Error('nothing was confirmed');
  expect(confirmed.read).toBeGreaterThan(5000);
  expect(confirmed.read).toBeLessThan(KEYS);

  const counts = await loadSnapshot({ ...into(cluster), source, existing: 'replace', confirmed });
  expect(counts).toMatchObject({ read: KEYS + 1, selected: KEYS + 1, written: KEYS + 1, kept: 0 });
  expect(await compareWithTarget({ ...into(cluster), snapshot: source.open() })).toMatchObject({ same: KEYS + 1 });
}, 360_000);

test('an attempt that comes late is shut out by the next one', async () => {
  await using server = await Sandbox.servers(1, { release: '8.0' });
  await using cluster = await Sandbox.cluster({ release: '8.0', primaries: 2, replicasEach: 0 });
  const { source } = await manyKeys(server);
  const attempt = (epoch: number) => ({ shard: 'shard-1', epoch, missedAfterMs: 10_000 });
  let begun = false;
  const early = loadSnapshot({
    ...{ ...into(cluster), source, existing: 'replace', rate: 1000, attempt: attempt(1) },
    onProgress: () => (begun = true),
  }).then(
    () => 'it came to its end',
    (error: unknown) => String(error),
  );
  await until('it has begun', () => begun);
  let ended: string | undefined;
  void early.then((how) => (ended = how));
  // Slow enough to be there as long as the other one looks for it.
  const counts = await loadSnapshot({
    ...{ ...into(cluster), source, existing: 'replace', attempt: attempt(2) },
    rate: 10_000,
  });
  await until('the early one has ended', () => ended !== undefined);
  expect(await early).toContain('a later attempt loads shard-1, this one stands back');
  expect(counts).toMatchObject({ written: KEYS + 1 });
}, 360_000);
