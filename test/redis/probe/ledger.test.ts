import { appendFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { runFolders, ledgerFiles, readLedgerFile } from '../../../redis/probe/ledger.js';
import { entryOf, type EntryType } from '../../../redis/probe/entry.js';
import { readBackLedger, removeProbeKeys } from '../../../redis/probe/read-back.js';
import { Sandbox, until } from '../../../scripts/sandbox/cluster.js';
import { inputFor, keys, operations, scratch, startProbe } from './probed-cluster.js';

/** What somebody may do to the first write of a type, and what the ledger must then say. */
const tampering: { what: string; type: EntryType; command: (key: string, value: string) => string[]; found: RegExp }[] =
  [
    { what: 'deleted', type: 'string', command: (key) => ['DEL', key], found: /^no such key$/ },
    { what: 'changed', type: 'string', command: (key) => ['SET', key, 'other'], found: /^other$/ },
    { what: 'given a TTL', type: 'string', command: (key) => ['EXPIRE', key, '1000'], found: /but it expires in/ },
    { what: 'without its TTL', type: 'string-ttl', command: (key) => ['PERSIST', key], found: /but it never expires/ },
    { what: 'with a shorter TTL', type: 'string-ttl', command: (key) => ['EXPIRE', key, '9'], found: /instead of/ },
    { what: 'missing a field', type: 'hash', command: (key, value) => ['HDEL', key, value], found: /not in it/ },
    {
      what: 'with another field value',
      type: 'hash',
      command: (key, value) => ['HSET', key, value, 'x'],
      found: /not in it/,
    },
    {
      what: 'missing an element',
      type: 'list',
      command: (key, value) => ['LREM', key, '0', value],
      found: /not in it/,
    },
    { what: 'missing a member', type: 'set', command: (key, value) => ['SREM', key, value], found: /not in it/ },
    {
      what: 'with another score',
      type: 'zset',
      command: (key, value) => ['ZADD', key, '0.5', value],
      found: /not in it/,
    },
    { what: 'turned back', type: 'counter', command: (key) => ['DECR', key], found: /1 increments missing/ },
  ];

test('one write that was deleted or tampered with is found, and named', async () => {
  await using cluster = await Sandbox.cluster({ release: '5.0.6', replicasEach: 0 });
  using place = scratch();
  const input = inputFor(cluster, place.folder);
  const untouched = await keys(cluster, cluster.nodes.slice(0, 3));
  const probe = await startProbe(input);
  await operations(probe, 300);
  await probe.stop();
  const file = runFolders(place.folder).flatMap(ledgerFiles).find(({ shard, client }) => shard === 'shard-1' && client === 'raw'); // prettier-ignore
  if (file === undefined) throw new Error('the ledger has no file for shard-1');
  const { acknowledged } = await readBackLedger(input);
  await using node = await cluster.connect();

  for (const [i, { what, type, command, found }] of tampering.entries()) {
    // Another write for each, so that one tampering is seen at a time and the sum grows by one.
    const nth = tampering.slice(0, i).filter((each) => each.type === type).length;
    const record = readLedgerFile(file).filter(({ seq }) => entryOf(file, 'raw', seq).type === type)[nth];
    if (record === undefined) throw new Error(`too few writes of type ${type}`);
    const { key, value } = entryOf(file, 'raw', record.seq);
    const [verb = '', ...rest] = command(key, value);
    await node.call(verb, ...rest);
    const result = await readBackLedger(input);
    expect(result, what).toMatchObject({ acknowledged, lost: i + 1, found: acknowledged - i - 1 });
    expect(
      result.examples.filter((each) => each.key === key && found.test(each.found)),
      what,
    ).not.toHaveLength(0);
  }
  const result = await readBackLedger(input);
  expect(result.byType['string']?.lost).toBe(3);
  expect(result.examples[0]?.expected).toMatch(/acknowledged at 20\d\d-/);

  const whole = readLedgerFile(file).find(({ seq }) => entryOf(file, 'raw', seq).type === 'hash');
  const { key } = entryOf(file, 'raw', whole?.seq ?? 0);
  await node.call('DEL', key);
  await node.call('SET', key, 'of another type');
  const hashes = (await readBackLedger(input)).byType['hash'];
  expect(hashes?.lost).toBeGreaterThan(2);

  // Only whole records count: what a kill cut off is not claimed.
  appendFileSync(file.path, Buffer.alloc(7, 1));
  expect((await readBackLedger(input)).acknowledged).toBe(acknowledged);

  await removeProbeKeys(input);
  expect(await keys(cluster, cluster.nodes.slice(0, 3))).toBe(untouched);
}, 600_000);

test('a live reader sees a lost write as a failed read', async () => {
  await using cluster = await Sandbox.cluster({ release: '8.0', replicasEach: 0 });
  using place = scratch();
  const input = inputFor(cluster, place.folder);
  await using probe = await startProbe(input);
  await operations(probe, 300);
  await using node = await cluster.connect(cluster.nodes[1]);
  await node.call('FLUSHALL');
  await until('the loss is seen', () => probe.recent().some(({ shard, failed }) => shard === 'shard-2' && failed > 5));
  expect(probe.recent().find(({ shard }) => shard === 'shard-2')?.errorRate).toBeGreaterThan(0);
  const report = await probe.stop();
  for (const series of report.series.filter(({ operation }) => operation === 'read'))
    expect(Object.keys(series.failures)).toEqual(series.shard === 'shard-2' ? ['wrong value'] : []);
  const ledger = await readBackLedger(input);
  expect(ledger.lost).toBeGreaterThan(50);
  expect(ledger.examples.length).toBeLessThanOrEqual(100);
  expect(ledger.byType['counter']?.lost).toBeGreaterThan(0);
});

test('a long soak does not fill the deployment: old generations are read back and removed', async () => {
  await using cluster = await Sandbox.cluster({ release: '8.0', primaries: 3, replicasEach: 0 });
  using place = scratch();
  const input = { ...inputFor(cluster, place.folder), limits: { generations: 2 } };
  input.shards = input.shards.slice(0, 1);
  input.policy.rate = 1000;
  const probe = await startProbe(input);
  const folder = (): string => runFolders(place.folder)[0] ?? '';
  await until('a generation was retired', () => {
    const files = ledgerFiles(folder());
    return files.length > 0 && files.every(({ generation }) => generation > 0);
  });
  const report = await probe.stop();
  const ledger = await readBackLedger(input);
  expect(ledger).toMatchObject({ lost: 0 });
  expect(ledger.retired).toBeGreaterThanOrEqual(4000);
  const writes = report.series.filter(({ operation }) => operation === 'write');
  expect(ledger.acknowledged).toBeGreaterThanOrEqual(writes.reduce((sum, s) => sum + s.operations - s.failed, 0));
  expect(await keys(cluster, cluster.nodes)).toBeLessThan(506 * ledgerFiles(folder()).length + 1);
  await removeProbeKeys(input);
  expect(await keys(cluster, cluster.nodes)).toBe(0);
}, 600_000);
