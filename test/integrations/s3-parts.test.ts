// A part that holds bytes of the next one, since its buffer was filled again while it was on its way.
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { putInParts } from '../../integrations/s3-parts.js';

const MB = 1024 * 1024;
async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer, void, void> {
  for (let at = 0; at < bytes.length; at += size) yield await Promise.resolve(bytes.subarray(at, at + size));
}

test.each([0, 1, 5 * MB - 1, 5 * MB, 5 * MB + 1, 15 * MB + 5])(
  '%i bytes, in parts that take their time',
  async (size) => {
    const bytes = randomBytes(size);
    const parts: Buffer[] = [];
    let underWay = 0;
    await putInParts('a', pieces(bytes, 700_001), async (part) => {
      expect(++underWay).toBe(1);
      // What is read late is what was there when it was given.
      await sleep(20);
      expect(part.number).toBe(parts.length + 1);
      parts.push(Buffer.from(part.bytes));
      underWay--;
    });
    expect(Buffer.concat(parts).equals(bytes)).toBe(true);
    expect(parts.map((part) => part.length).slice(0, -1)).toEqual(parts.slice(1).map(() => 5 * MB));
    expect(parts).toHaveLength(Math.max(1, Math.ceil(size / (5 * MB))));
  },
);

test('a part that fails ends it; content that fails waits for what is on its way', async () => {
  let begun = 0;
  const failing = putInParts('a', pieces(randomBytes(50 * MB), MB), async ({ number }) => {
    begun++;
    await sleep(5);
    if (number === 2) throw new Error('503');
  });
  await expect(failing).rejects.toThrow('503');
  expect(begun).toBe(2);

  let ended = false;
  async function* broken(): AsyncGenerator<Buffer, void, void> {
    yield await Promise.resolve(randomBytes(6 * MB));
    throw new Error('the replica went away');
  }
  const breaking = putInParts('a', broken(), async () => {
    await sleep(50);
    ended = true;
  });
  await expect(breaking).rejects.toThrow('the replica went away');
  expect(ended).toBe(true);
});
