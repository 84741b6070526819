// A backup that `gunzip` can't read, or that is not what was put in, is none.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { compress, decompress } from '../../integrations/gzip.js';

const MB = 1024 * 1024;

function* chunksOf(bytes: Buffer, size = 50_000): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const compressed = (bytes: Buffer): Promise<Buffer> => buffer(compress(chunksOf(bytes)));

const gunzip = (bytes: Buffer): Buffer => execFileSync('gunzip', ['-c'], { input: bytes, maxBuffer: 64 * MB });

const documents = (bytes: number): Buffer => {
  let text = '';
  for (let i = 0; text.length < bytes; i++)
    text += JSON.stringify({ id: i, name: `customer ${i % 977}`, active: i % 3 === 0 });
  return Buffer.from(text).subarray(0, bytes);
};

test.each([
  ['nothing', Buffer.alloc(0)],
  ['a byte', Buffer.from('x')],
  ['documents', documents(5 * MB + 17)],
  ['what is compressed already', randomBytes(3 * MB)],
  ['by turns', Buffer.concat([randomBytes(2 * MB), documents(2 * MB), randomBytes(MB / 2)])],
])('%s comes back as it was, by anybody’s gunzip, too', async (_, bytes) => {
  const small = await compressed(bytes);
  expect(bytes.equals(gunzip(small))).toBe(true);
  expect(bytes.equals(await buffer(decompress(Readable.from(chunksOf(small)))))).toBe(true);
});

test('documents get as small as in one piece, but for a fiftieth, and random bytes no larger than a thousandth', async () => {
  const text = documents(8 * MB);
  expect((await compressed(text)).length).toBeLessThan(1.02 * gzipSync(text, { level: 1 }).length);
  const random = randomBytes(8 * MB);
  expect((await compressed(random)).length).toBeLessThan(1.001 * random.length);
  // Random, and the same again and again.
  const token = randomBytes(3000);
  const repeated = Buffer.concat(Array.from({ length: 1000 }, () => token));
  expect((await compressed(repeated)).length).toBeLessThan(repeated.length / 20);
});

test('what fails before its end is told as it was, and whoever leaves early ends the source', async () => {
  const failing = async function* (): AsyncGenerator<Buffer> {
    yield documents(3 * MB);
    await Promise.resolve();
    throw new Error('the node went away');
  };
  await expect(buffer(compress(failing()))).rejects.toThrow('the node went away');
  let ended = false;
  const endless = function* (): Generator<Buffer> {
    try {
      for (;;) yield documents(MB);
    } finally {
      ended = true;
    }
  };
  for await (const piece of compress(endless())) if (piece.length > 0) break;
  expect(ended).toBe(true);
});

test('bytes that are no gzip, or not all of it, are refused', async () => {
  const open = (bytes: Buffer): Promise<Buffer> => buffer(decompress(Readable.from(chunksOf(bytes))));
  await expect(open(Buffer.from('plain text'))).rejects.toMatchObject({ code: 'Z_DATA_ERROR' });
  const whole = await compressed(documents(3 * MB));
  await expect(open(whole.subarray(0, -5))).rejects.toMatchObject({ code: 'Z_BUF_ERROR' });
});
