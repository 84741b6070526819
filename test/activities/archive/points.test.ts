// A recovery that stops in the middle of a transaction, a moment too late, or before another FLUSHALL than the one that was meant.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { coverageOf } from '../../../model/archive-coverage.js';
import { S3Server } from '../../../scripts/sandbox/s3-server.js';
import { until } from '../../../scripts/sandbox/cluster.js';
import { ArchiveStage, contentOf } from './stage.js';

let s3: S3Server;
beforeAll(async () => {
  s3 = await S3Server.start();
});
afterAll(() => s3[Symbol.asyncDispose]());

test.each(['5.0', '8.0'])(
  '%s: an instant, an offset, a command: whole commands, whole transactions',
  async (release) => {
    await using stage = await ArchiveStage.open(release, s3);
    const snapshot = await stage.archiving();
    const numbers = async (offset: number): Promise<string[]> =>
      [...(await contentOf(stage.at(snapshot, offset))).keys()].filter((it) => it !== '0 first').sort();
    const [point] = [
      async (asked: Parameters<typeof stage.resolve>[0]) => (await stage.resolve(asked)).shards[0]?.offset ?? 0,
    ];

    await stage.primary.call('SET', 'one', 1);
    const afterOne = await stage.offset();
    await stage.stored(afterOne);
    const calm = Date.now();
    await until('the clock has gone on', () => Date.now() > calm);
    const transaction = await stage.primary.pipeline([
      ['MULTI'],
      ['SET', 'two', 2],
      ['SET', 'three', 3],
      ['DEL', 'one'],
      ['EXEC'],
    ]);
    expect(transaction.at(-1)).toEqual(['OK', 'OK', 1]);
    const afterAllThree = await stage.offset();
    await stage.primary.call('FLUSHALL');
    await stage.primary.call('SET', 'four', 4);
    await stage.primary.call('flushall');
    await stage.primary.call('SET', 'five', 5);
    const end = await stage.offset();
    await stage.stored(end);

    expect(await numbers(await point({ kind: 'at', ms: calm }))).toEqual(['0 one']);
    // Anywhere in the transaction: nothing of it.
    for (const offset of [afterOne + 1, afterOne + 30, afterAllThree - 1]) {
      const found = await point({ kind: 'offset', shard: 'shard-1', offset });
      expect(found).toBeGreaterThanOrEqual(afterOne);
      expect(found).toBeLessThan(afterAllThree);
      expect(await numbers(found)).toEqual(['0 one']);
    }
    expect(await point({ kind: 'offset', shard: 'shard-1', offset: afterAllThree })).toBe(afterAllThree);
    expect(await numbers(afterAllThree)).toEqual(['0 three', '0 two']);
    // The last one, in whichever case it was written; and a command within a transaction goes with all of it.
    expect(await numbers(await point({ kind: 'before', words: ['FlushAll'] }))).toEqual(['0 four']);
    expect(await numbers(await point({ kind: 'before', words: ['set', 'four'] }))).toEqual([]);
    expect(await numbers(await point({ kind: 'before', words: ['set', 'three', '3'] }))).toEqual(['0 one']);

    await expect(stage.resolve({ kind: 'before', words: ['SET', 'thre'] })).rejects.toThrow(
      /the archive has no such command/,
    );
    await expect(stage.resolve({ kind: 'at', ms: 1 })).rejects.toThrow(/The nearest that can be had: after it 20/);
    await expect(stage.resolve({ kind: 'at', ms: Date.now() + 1e6 })).rejects.toThrow(
      /is archived without a gap until .* before it 20/,
    );
    await expect(stage.resolve({ kind: 'offset', shard: 'shard-1', offset: end * 100 })).rejects.toMatchObject({
      type: 'BadInput',
    });
    // A backup that was taken later is no help, and one that was taken before it is.
    const later = await stage.backUp();
    expect((await stage.resolve({ kind: 'at', ms: calm })).backup).toBe(stage.backupOf(snapshot));
    await stage.stored(await stage.offset());
    const now = Date.parse(later.cutAt);
    await stage.primary.call('SET', 'six', 6);
    await stage.stored(await stage.offset());
    expect((await stage.resolve({ kind: 'at', ms: now })).backup).toBe(stage.backupOf(later));

    // Nobody archives for a while: when it was written in that time is not known, and not made up.
    await stage.stop();
    const passes = async (ms: number): Promise<number> => {
      const from = Date.now();
      await until('the clock goes on', () => Date.now() > from + ms);
      return Date.now();
    };
    await stage.primary.call('SET', 'seven', 7);
    const meanwhile = await passes(1200);
    await passes(5);
    stage.begin({ snapshotComing: true });
    await stage.stored(await stage.offset());
    const again = Date.now();
    // What comes in this very millisecond would be within the instant, and rightly.
    await passes(0);
    await stage.primary.call('SET', 'eight', 8);
    await stage.stored(await stage.offset());
    await expect(stage.resolve({ kind: 'at', ms: meanwhile })).rejects.toThrow(
      /nothing was archived from 20.* before it 20.*, after it 20/,
    );
    expect(await numbers(await point({ kind: 'before', words: ['SET', 'seven'] }))).toEqual(['0 five', '0 six']);
    expect(await numbers(await point({ kind: 'at', ms: again }))).toEqual(['0 five', '0 seven', '0 six']);
    const [{ gaps } = { gaps: [] }] = coverageOf(await stage.archive.segments());
    expect(gaps.map(({ from, to }) => from < meanwhile && meanwhile < to)).toEqual([true]);

    // Where nothing was written meanwhile but pings, it is known: what was there before.
    await stage.stop();
    const idle = await passes(2500);
    stage.begin({ snapshotComing: true });
    await stage.stored(await stage.offset());
    await stage.primary.call('SET', 'nine', 9);
    await stage.stored(await stage.offset());
    const keys = ['0 eight', '0 five', '0 seven', '0 six'];
    expect(await numbers(await point({ kind: 'at', ms: idle }))).toEqual(keys);
    expect(coverageOf(await stage.archive.segments())[0]?.gaps).toHaveLength(2);
  },
  240_000,
);
