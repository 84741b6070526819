// A shard that is brought back to a moment, and has a key more or less than it had then, or one that lives longer.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { S3Server } from '../../../scripts/sandbox/s3-server.js';
import { until } from '../../../scripts/sandbox/cluster.js';
import { Pipe } from '../../../redis/verify/pipe.js';
import type { Command } from '../../../redis/resp.js';
import { randomLoad } from '../../redis/follow/random-load.js';
import { drawing } from '../../redis/rewrite/random-commands.js';
import { ArchiveStage, contentOf, type KeyContent } from './stage.js';

let s3: S3Server;
beforeAll(async () => {
  s3 = await S3Server.start();
});
afterAll(() => s3[Symbol.asyncDispose]());

/**
 * One that had expired by then may be in the one and not in the other: a primary keeps it until it looks at it, and tells
 * its replicas when it does.
 */
function expectSame(found: Map<string, KeyContent>, then: Map<string, KeyContent>, toleranceMs: number): void {
  const different: string[] = [];
  for (const [key, { value, expiresAt }] of then) {
    const other = found.get(key);
    if (!other) different.push(`${key} is missing`);
    else if (other.value !== value) different.push(`${key} has another value`);
    else if ((other.expiresAt === undefined) !== (expiresAt === undefined)) different.push(`${key}: expiry`);
    else if (Math.abs((other.expiresAt ?? 0) - (expiresAt ?? 0)) > toleranceMs)
      different.push(`${key} expires ${(other.expiresAt ?? 0) - (expiresAt ?? 0)} ms later`);
  }
  for (const key of found.keys()) if (!then.has(key)) different.push(`${key} is too much`);
  expect(different).toEqual([]);
}

test.each(['5.0', '7.0', '8.0', 'valkey-9.1'])(
  '%s: every kind of write, in databases and transactions: at each of several moments it is what it was then',
  async (release) => {
    await using stage = await ArchiveStage.open(release, s3);
    const seed = 7;
    const make = randomLoad({ release: exact(stage), draw: drawing(seed), tags: [] });
    const pipe = await Pipe.open(stage.sandbox.endpoint(), { readonly: false, noTouch: false, timeoutMs: 30_000 });
    const write = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++)
        for (const command of make(Date.now())) await pipe.send([command as unknown as Command]);
    };
    await write(200);
    const snapshot = await stage.archiving();
    const moments: Awaited<ReturnType<typeof stage.now>>[] = [];
    for (let i = 0; i < 3; i++) {
      await write(300);
      await stage.primary.call('SETEX', `soon:${i}`, 1, 'x');
      await stage.primary.call('SET', `later:${i}`, 'x', 'EX', 1000);
      moments.push(await stage.now());
    }
    await until('it has expired', async () => (await stage.primary.call('EXISTS', 'soon:2')) === 0);
    await stage.primary.call('FLUSHALL');
    // A primary's PING to its replicas moves it on again.
    const end = await stage.offset();
    await stage.stored(end);
    pipe[Symbol.dispose]();

    for (const { offset, content } of moments) {
      expect(content.size).toBeGreaterThan(20);
      expectSame(await contentOf(stage.at(snapshot, offset)), content, 50);
    }
    expect((await contentOf(stage.at(snapshot, end))).size).toBeLessThan(3);
  },
  240_000,
);

const exact = (stage: ArchiveStage): string => stage.release;
