// A backup that was changed on its way, or in the store, and is loaded all the same.
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { seal, sealingKeys, unseal, type SealedAs, type SealingKeys } from '../../integrations/sealed.js';
import { FRAME_BYTES } from '../../integrations/sealed-frames.js';
import { RolloutError } from '../../model/failures.js';

const as: SealedAs = { deployment: 'orders', backup: '20261129T120000Z-1a2b3c4d', object: 'shard-1.rdb.gz.sealed' };
let keys: SealingKeys;
beforeAll(async () => {
  vi.stubEnv('ROLLOUT_TEST_KEY', randomBytes(32).toString('base64'));
  vi.stubEnv('ROLLOUT_TEST_OTHER_KEY', randomBytes(32).toString('hex'));
  keys = await sealingKeys(['env:ROLLOUT_TEST_KEY']);
});
afterAll(() => {
  vi.unstubAllEnvs();
});

// eslint-disable-next-line @typescript-eslint/require-await -- what it stands for waits
async function* pieces(bytes: Buffer, size = 64 * 1024): AsyncGenerator<Buffer, void, void> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
async function whole(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}
const sealed = (plain: Buffer, its: SealedAs = as, by = keys): Promise<Buffer> =>
  whole(seal(pieces(plain), { keys: by, as: its }));
const opened = (bytes: Buffer, size?: number, its: SealedAs = as, by = keys): Promise<Buffer> =>
  whole(unseal(pieces(bytes, size), { keys: by, as: its }));
/** The message of a refusal, which must be one of ours. */
async function refused(opening: Promise<Buffer>): Promise<string> {
  const error: unknown = await opening.then(
    (bytes) => new Error(`it was taken, ${bytes.length} bytes of it`),
    (error: unknown) => error,
  );
  expect(error).toBeInstanceOf(RolloutError);
  expect(error).toMatchObject({ type: 'Damaged', retryable: false });
  return (error as RolloutError).message;
}

test.each([0, 1, FRAME_BYTES - 1, FRAME_BYTES, FRAME_BYTES + 1, 3 * FRAME_BYTES + 17])(
  'what was sealed is what is opened: %i bytes',
  async (size) => {
    const plain = randomBytes(size);
    const bytes = await sealed(plain);
    // One byte is in it by chance.
    if (size > 1) expect(bytes.includes(plain.subarray(0, 64))).toBe(false);
    expect((await opened(bytes)).equals(plain)).toBe(true);
    expect((await opened(bytes, 1000)).equals(plain)).toBe(true);
  },
);

test('every bit of the header, and of what is between frames, is part of the seal', async () => {
  const bytes = await sealed(randomBytes(FRAME_BYTES + 100));
  const last = bytes.length - (4 + 4 + 12 + 4 + 100 + 16);
  const first = last - (4 + 12 + FRAME_BYTES + 16);
  const places = [...range(0, first + 20), ...range(last - 20, bytes.length)];
  for (const at of places) {
    const flipped = Buffer.from(bytes);
    flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8));
    expect(await refused(opened(flipped))).toContain(as.object);
  }
}, 240_000);

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

test('a flip, a cut, an addition, and parts that were repeated, left out or put elsewhere', async () => {
  const plain = randomBytes(3 * FRAME_BYTES + 1000);
  const bytes = await sealed(plain);
  const other = await sealed(plain, { ...as, object: 'shard-2.rdb.gz.sealed' });
  const frame = 4 + 12 + FRAME_BYTES + 16;
  const header = bytes.length - 3 * frame - (4 + 4 + 12 + 4 + 1000 + 16);
  const place = fc.nat(bytes.length - 1);
  // Whole frames are moved too: each is authentic in itself.
  const atFrame = fc.nat(2).map((n) => header + n * frame);
  const change = fc.oneof(
    fc.tuple(place, fc.integer({ min: 1, max: 255 })).map(([at, mask]) => {
      const flipped = Buffer.from(bytes);
      flipped[at] = (flipped[at] ?? 0) ^ mask;
      return flipped;
    }),
    place.map((end) => bytes.subarray(0, end)),
    fc.uint8Array({ minLength: 1, maxLength: 100 }).map((more) => Buffer.concat([bytes, more])),
    fc.tuple(place, place).map(([from, to]) => Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)])),
    atFrame.map((at) => Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + frame)])),
    atFrame.map((at) => Buffer.concat([bytes.subarray(0, at + frame), bytes.subarray(at)])),
    atFrame.map((at) => Buffer.concat([bytes.subarray(0, at), other.subarray(at)])),
    fc.tuple(place, place).map(([from, length]) => {
      const spliced = Buffer.from(bytes);
      other.copy(spliced, from, from, from + length + 1);
      return spliced;
    }),
    fc.constant(Buffer.concat([bytes, other])),
  );
  await fc.assert(
    fc.asyncProperty(change, fc.integer({ min: 500, max: 300_000 }), async (changed, size) => {
      fc.pre(!changed.equals(bytes));
      await refused(opened(changed, size));
    }),
    { numRuns: 150 },
  );
}, 240_000);

test('bytes that were never sealed', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 2000 }), async (bytes) => {
      await refused(opened(Buffer.from(bytes)));
      await refused(opened(Buffer.from([2, 4, 0x78, ...bytes])));
    }),
    { numRuns: 300 },
  );
});

test('an object in the place of another: of this backup, of an earlier one, of another deployment', async () => {
  const bytes = await sealed(randomBytes(1000));
  const asked = (its: Partial<SealedAs>): Promise<string> => refused(opened(bytes, 1000, { ...as, ...its }));
  expect(await asked({ object: 'shard-2.rdb.gz.sealed' })).toMatch(/^shard-2.rdb.gz.sealed: it was sealed as shard-1/);
  expect(await asked({ backup: 'another' })).toContain(`of backup ${as.backup}, and was put here since`);
  await asked({ deployment: 'carts' });
});

test('another key opens nothing, and a key that was replaced opens what it has sealed', async () => {
  const plain = randomBytes(1000);
  const bytes = await sealed(plain);
  const other = await sealingKeys(['env:ROLLOUT_TEST_OTHER_KEY']);
  expect(await refused(opened(bytes, 1000, as, other))).toContain(`none of the keys ${other.id} opens it`);

  const rotated = await sealingKeys(['env:ROLLOUT_TEST_OTHER_KEY', 'env:ROLLOUT_TEST_KEY']);
  expect((await opened(bytes, 1000, as, rotated)).equals(plain)).toBe(true);
  const since = await sealed(plain, as, rotated);
  expect(rotated.id).toBe(other.id);
  expect((await opened(since, 1000, as, other)).equals(plain)).toBe(true);
  await refused(opened(since, 1000, as, keys));
});

test('what fails underneath is said as it is', async () => {
  const bytes = await sealed(randomBytes(3 * FRAME_BYTES));
  async function* cut(): AsyncGenerator<Buffer, void, void> {
    yield* pieces(bytes.subarray(0, FRAME_BYTES));
    throw new RolloutError('Unreachable', 'the store closed the connection');
  }
  await expect(whole(unseal(cut(), { keys, as }))).rejects.toMatchObject({ type: 'Unreachable' });
  await expect(whole(seal(cut(), { keys, as }))).rejects.toMatchObject({ type: 'Unreachable' });
});

test('a reference that holds no key is named, and never shown', async () => {
  vi.stubEnv('ROLLOUT_TEST_SHORT_KEY', 'correct horse battery staple');
  const reading = sealingKeys(['env:ROLLOUT_TEST_SHORT_KEY']);
  await expect(reading).rejects.toMatchObject({ type: 'Unauthorized' });
  await expect(reading).rejects.toThrow(/^env:ROLLOUT_TEST_SHORT_KEY is no key: expected 32 random bytes/);
  await expect(reading).rejects.not.toThrow(/horse/);
});
