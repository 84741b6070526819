/** A value cut off or garbled on its way: it must not be taken for another value, and never hang its reader. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RolloutError } from '../../../model/failures.js';
import type { NodeConnection } from '../../../redis/connection.js';
import { Crc64 } from '../../../redis/rdb/crc64.js';
import { readDump } from '../../../redis/rdb/dump.js';
import { readEntries } from '../../../redis/rdb/entries.js';
import { Sandbox } from '../../../scripts/sandbox/cluster.js';
import { send } from '../verify/pair.js';
import { rdbFile, text } from './file.js';
import { oddValues } from './odd-values.js';
import { fingerprint, reassembled } from './reassembled.js';

const damaged = { type: 'BackupFailed', message: expect.stringMatching(/at byte \d+: /) as string };

/** DUMPs of all keys that are short enough to be tried many times. */
async function dumps(node: NodeConnection): Promise<{ key: string; dump: Buffer }[]> {
  const keys = (await node.callBuffer('KEYS', '*')) as Buffer[];
  const all = await node.pipeline(
    keys.map((key) => ['DUMP', key]),
    { buffers: true },
  );
  return all
    .map((dump, i) => ({ key: keys[i]?.toString('latin1') ?? '', dump: dump as Buffer }))
    .filter(({ key, dump }) => dump.length < 20_000 && !key.startsWith('key:'));
}

function sealed(body: Buffer): Buffer {
  return Buffer.concat([body, Buffer.from(new Crc64().update(body).hex(), 'hex').reverse()]);
}

test.each(['5.0.6', '6.2.14', '7.4.1', '8.2.3', 'valkey-9.1.2'])(
  '%s: DUMPs with bytes turned, cut or put in',
  async (release) => {
    await using sandbox = await Sandbox.servers(1, { release });
    await using node = await sandbox.connect(undefined, { timeoutMs: 30_000 });
    await send(sandbox.endpoint(), oddValues(release));
    const all = await dumps(node);
    expect(all.length).toBeGreaterThan(50);
    for (const { key, dump } of all) {
      const whole = fingerprint(reassembled(readDump(dump)));
      expect(whole).not.toBe('');
      // Any change is found by the checksum.
      fc.assert(
        fc.property(fc.nat(dump.length - 1), fc.integer({ min: 1, max: 255 }), (at, by) => {
          const turned = Buffer.from(dump);
          turned[at] = (turned[at] ?? 0) ^ by;
          expect(() => reassembled(readDump(turned)), key).toThrow(expect.objectContaining(damaged));
          expect(() => reassembled(readDump(dump.subarray(0, at))), key).toThrow(expect.objectContaining(damaged));
        }),
        { numRuns: 3 },
      );
      // What has a checksum of its own is another value, or is refused: it never does anything else.
      fc.assert(
        fc.property(fc.nat(), fc.uint8Array({ minLength: 1, maxLength: 9 }), fc.nat(12), (where, bytes, cut) => {
          const body = dump.subarray(0, dump.length - 8);
          const at = where % (body.length - 2);
          const garbled = Buffer.concat([
            body.subarray(0, at),
            bytes,
            body.subarray(Math.min(at + cut, body.length - 2)),
          ]);
          outcome(sealed(garbled));
        }),
        { numRuns: 25 },
      );
    }
  },
);

function outcome(payload: Buffer): 'read' | 'refused' {
  try {
    let elements = 0;
    for (const part of readDump(payload)) if ('elements' in part) elements += part.elements.length;
    // An element has a byte at least, but in what LZF has packed.
    expect(elements).toBeLessThan(100 * payload.length);
    return 'read';
  } catch (error) {
    if (!(error instanceof RolloutError)) throw error;
    expect(error).toMatchObject(damaged);
    return 'refused';
  }
}

test.each(['6.2.14', '8.2.3', 'valkey-9.1.2'])('%s: a file cut off anywhere gives no other value', async (release) => {
  await using sandbox = await Sandbox.servers(1, { release });
  await using node = await sandbox.connect(undefined, { timeoutMs: 30_000 });
  await send(sandbox.endpoint(), oddValues(release));
  await node.call('SAVE');
  const file = await readFile(join(sandbox.nodes[0]?.home ?? '', 'dump.rdb'));
  const whole = await read([file]);
  expect(whole.error).toBe(undefined);
  await fc.assert(
    fc.asyncProperty(fc.nat(file.length - 1), fc.integer({ min: 1000, max: 100_000 }), async (length, size) => {
      const cut = await read(pieces(file.subarray(0, length), size));
      expect(cut.error).toMatchObject(damaged);
      expect(cut.parts).toEqual(whole.parts.slice(0, cut.parts.length));
    }),
    { numRuns: 12 },
  );
  await fc.assert(
    fc.asyncProperty(fc.nat(file.length - 1), fc.integer({ min: 1, max: 255 }), async (at, by) => {
      const turned = Buffer.from(file);
      turned[at] = (turned[at] ?? 0) ^ by;
      expect((await read([turned])).error).toMatchObject(damaged);
    }),
    { numRuns: 8 },
  );
});

async function read(chunks: Iterable<Buffer>): Promise<{ parts: string[]; error?: unknown }> {
  const parts: string[] = [];
  try {
    for await (const record of readEntries(chunks)) parts.push(fingerprint(record));
    return { parts };
  } catch (error) {
    return { parts, error };
  }
}

function* pieces(file: Buffer, size: number): Generator<Buffer> {
  for (let at = 0; at < file.length; at += size) yield file.subarray(at, at + size);
}

const length64 = (high: number): number[] => [0x81, 0, high, 0, 0, 0, 0, 0, 0];

test.each<[string, number, (Buffer | number[])[]]>([
  ['a string of 2^48 bytes', 0, [length64(1)]],
  ['a compressed string that says to be 2^48 bytes', 0, [[0xc3, 4], length64(1), [0, 97, 0, 98]]],
  ['a list of 2^48 strings', 1, [length64(1), text('a')]],
  ['a hash of 2^48 fields', 4, [length64(1), text('a')]],
  ['a stream of 2^48 nodes', 15, [length64(1)]],
  ['a listpack that is no listpack', 16, [text('listpack')]],
  ['a ziplist that is no ziplist', 10, [text('ziplist')]],
  ['a set of integers of no size', 11, [Buffer.from([8, 3, 0, 0, 0, 1, 0, 0, 0])]],
])('%s is refused, and nothing is allocated for it', (_, type, value) => {
  const body = Buffer.concat([Buffer.from([type]), ...value.map((it) => Buffer.from(it)), Buffer.from([11, 0])]);
  const before = process.memoryUsage().rss;
  expect(() => reassembled(readDump(sealed(body)))).toThrow(expect.objectContaining(damaged));
  expect(process.memoryUsage().rss - before).toBeLessThan(100 * 1024 * 1024);
});

test('an unknown version of DUMP is named', () => {
  expect(() => reassembled(readDump(sealed(Buffer.from([0, 1, 97, 13, 0]))))).toThrow(/version 13 is not known/);
});

test('forms that no server at hand writes any more', async () => {
  const zipmap = Buffer.from([2, 1, 97, 1, 2, 98, 0, 0, 1, 99, 1, 0, 100, 255]);
  const zset = [[3], text('a'), text('1.5'), text('b'), [254], text('c'), [255]];
  const file = rdbFile(
    'REDIS0009',
    [9],
    text('map'),
    [zipmap.length],
    zipmap,
    [3],
    text('zset'),
    ...zset,
    [253, 1, 0, 0, 0, 1],
    text('list'),
    [1],
    text('x'),
  );
  const found: Record<string, unknown> = {};
  for await (const record of readEntries([file]))
    if (record.kind === 'key') found[record.key.toString()] = { ...record.part, expiresAt: record.expiresAt };
  const buffers = (...values: string[]): Buffer[] => values.map((it) => Buffer.from(it));
  expect(found).toEqual({
    map: { type: 'hash', elements: buffers('a', 'b', 'c', 'd') },
    zset: { type: 'zset', elements: buffers('a', 'b', 'c'), scores: [1.5, Infinity, -Infinity] },
    list: { type: 'list', elements: buffers('x'), expiresAt: 1000 },
  });
});

test('a field’s expiry in the release candidates of 7.4 is absolute', async () => {
  const fields = [[2, 0], text('a'), text('1'), length64(1), text('b'), text('2')];
  const [part] = await read1(rdbFile('REDIS0012', [22], text('k'), ...fields));
  expect(part).toMatchObject({ expiries: [{ field: Buffer.from('b'), at: 2 ** 48 }] });
});

async function read1(file: Buffer): Promise<unknown[]> {
  const parts: unknown[] = [];
  for await (const record of readEntries([file])) if (record.kind === 'key') parts.push(record.part);
  return parts;
}
