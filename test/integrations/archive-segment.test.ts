// A segment that was damaged and is read on: bytes of the stream that are missing, or stand in another's place.
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  decodeSegment,
  encodeSegment,
  type SegmentHeader,
  type StreamRecord,
} from '../../integrations/archive-segment.js';

const replid = 'f'.repeat(40);
const header: SegmentHeader = {
  ...{ format: 1, first: 1001, replid, release: '8.0.2', node: '10.0.0.4:6379', role: 'replica', aligned: true },
};
const named = (end: number) => ({ object: 'orders/archive/x', first: 1001, end, replid, release: '8.0.2' });

// eslint-disable-next-line @typescript-eslint/require-await -- what it stands for waits
async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer, void, void> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
async function read(
  plain: Buffer,
  end: number,
  size = 7,
): Promise<{ header: SegmentHeader; bytes: Buffer; times: number[] }> {
  const records: StreamRecord[] = [];
  let first: SegmentHeader | undefined;
  for await (const part of decodeSegment(pieces(plain, size), named(end)))
    if ('bytes' in part) records.push(part);
    else first = part;
  if (!first) throw new Error('it has no header');
  return { header: first, bytes: Buffer.concat(records.map(({ bytes }) => bytes)), times: records.map(({ at }) => at) };
}

const chunks = fc.array(fc.uint8Array({ minLength: 1, maxLength: 200 }), { minLength: 1, maxLength: 20 });
async function written(all: readonly Uint8Array[]): Promise<{ plain: Buffer; end: number; bytes: Buffer }> {
  const records: StreamRecord[] = [];
  let first = 1001;
  for (const [i, it] of all.entries()) {
    records.push({ at: 1_800_000_000_000 + i, first, bytes: Buffer.from(it) });
    first += it.length;
  }
  const plain = gunzipSync(await encodeSegment(header, records));
  return { plain, end: first - 1, bytes: Buffer.concat(all) };
}

test('what was written is what is read, however it comes', async () => {
  await fc.assert(
    fc.asyncProperty(chunks, fc.integer({ min: 1, max: 300 }), async (all, size) => {
      const { plain, end, bytes } = await written(all);
      const found = await read(plain, end, size);
      expect(found.header).toEqual(header);
      expect(found.bytes.equals(bytes)).toBe(true);
      expect(found.times).toEqual(all.map((_, i) => 1_800_000_000_000 + i));
    }),
  );
  const large = await written([Buffer.alloc(3_000_000, 'x')]);
  expect((await read(large.plain, large.end, 65_536)).bytes.length).toBe(3_000_000);
});

test('one that was cut, went on, lost or gained a record, or has another name, is refused by name', async () => {
  await fc.assert(
    fc.asyncProperty(chunks, fc.nat(), fc.uint8Array({ minLength: 1, maxLength: 30 }), async (all, at, more) => {
      const { plain, end } = await written(all);
      const refused = (bytes: Buffer, until = end): Promise<void> =>
        expect(read(bytes, until)).rejects.toThrow(/^orders\/archive\/x: /);
      await refused(plain.subarray(0, at % plain.length));
      await refused(Buffer.concat([plain, Buffer.from(more)]));
      await refused(plain, end + 1);
      await refused(plain, end - 1);
    }),
    { numRuns: 50 },
  );
});

test('bytes changed at random are refused or were not the stream’s place: never a hang, nothing of another offset', async () => {
  await fc.assert(
    fc.asyncProperty(
      chunks,
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }),
      async (all, changes) => {
        const { plain, end, bytes } = await written(all);
        const spoilt = Buffer.from(plain);
        for (const [at, byte] of changes) spoilt[at % spoilt.length] = byte;
        const found = await read(spoilt, end).catch((error: unknown) => error as Error);
        if (found instanceof Error) expect(found).toMatchObject({ type: 'Damaged' });
        // Sealed, such a change is refused in any case; here it may stay unseen in a value, and in nothing else.
        else expect(found.bytes.length).toBe(bytes.length);
      },
    ),
  );
});
