/** A backup that was cut off, or of which one bit has turned, and that would have been trusted. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { atLeast } from '../../../model/release.js';
import { findServers } from '../../../platforms/process/servers.js';
import { checkRdb } from '../../../redis/rdb/check.js';
import { readEntries } from '../../../redis/rdb/entries.js';
import { Sandbox } from '../../../scripts/sandbox/cluster.js';
import { populate } from './dataset.js';
import { serversVerdict } from './servers-verdict.js';
import { thorough } from '../../thorough.js';

const releases = [...(await findServers()).keys()];
/** Of as many formats as there are. */
const usual = releases.filter((it) => ['5.0.6', '7.0.15', '7.4.1', '8.2.3', 'valkey-9.1.2'].includes(it));
const damaged = { type: 'BackupFailed', message: expect.stringMatching(/at byte \d+: /) as string };

test.each(releases)('%s: every type and encoding is counted, whole or in pieces', async (release) => {
  await using sandbox = await Sandbox.servers(1, { release });
  await using node = await sandbox.connect();
  // Writes how recently each key was used, too.
  await node.call('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lfu');
  const written = await populate(node, release);
  await node.call('SAVE');
  const file = await readFile(join(sandbox.nodes[0]?.home ?? '', 'dump.rdb'));

  const summary = await checkRdb([file]);
  expect(summary).toMatchObject({
    byType: written.byType,
    expires: written.expires,
    hashesWithFieldExpiry: written.hashesWithFieldExpiry,
    functions: written.functions,
    checksum: 'verified',
    bytes: file.length,
  });
  expect(Object.fromEntries(summary.databases.map(({ index, keys }) => [index, keys]))).toEqual(written.databases);
  expect(summary.databases[0]?.keys).toBe(await node.call('DBSIZE'));

  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 300_000 }), { minLength: 1, maxLength: 20 }), async (sizes) => {
      expect(await checkRdb(pieces(file, sizes))).toEqual(summary);
    }),
    { numRuns: 5 },
  );
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: file.length - 1 }), async (length) => {
      await expect(checkRdb(pieces(file.subarray(0, length), [65_536]))).rejects.toMatchObject(damaged);
    }),
    { numRuns: 8 },
  );
});

test.each(releases.filter((it) => ['5.0.6', '7.4.1', '8.2.3', 'valkey-9.1.2'].includes(it)))(
  '%s: one bit turned anywhere, and each possible truncation, is found',
  async (release) => {
    await using sandbox = await Sandbox.servers(1, { release });
    await using node = await sandbox.connect();
    await populate(node, release);
    // Small enough for each byte to be tried.
    for (const key of ['string:5 MB', 'list:large', 'list:big element', 'set:large', 'hash:large', 'string:noise'])
      await node.call('DEL', key);
    await node.call('SELECT', 3);
    await node.call('FLUSHDB');
    await node.call('SAVE');
    const file = await readFile(join(sandbox.nodes[0]?.home ?? '', 'dump.rdb'));
    const whole = await checkRdb([file]);
    expect(await checkRdb(pieces(file, [1]))).toEqual(whole);
    for (let length = 0; length < file.length; length += length < 2000 ? 1 : 37)
      await expect(checkRdb([file.subarray(0, length)]), `cut at ${length}`).rejects.toMatchObject(damaged);
    for (let at = 0; at < file.length; at += at < 1000 ? 1 : 13) {
      const turned = Buffer.from(file);
      turned[at] = (turned[at] ?? 0) ^ (1 << (at % 8));
      await expect(checkRdb([turned]), `bit turned in byte ${at}`).rejects.toMatchObject(damaged);
    }
  },
);

test.each(thorough ? releases : usual)(
  '%s: redis-check-rdb agrees, on a whole file and on damaged ones',
  async (release) => {
    const program = (await findServers()).get(release) ?? '';
    // To have keys in it that have expired.
    const configuration = atLeast(release, 7, 0) ? ['enable-debug-command yes'] : [];
    await using sandbox = await Sandbox.servers(1, { release, configuration });
    await using node = await sandbox.connect();
    await populate(node, release);
    await node.call('DEBUG', 'SET-ACTIVE-EXPIRE', 0);
    for (const key of ['gone', 'gone too']) await node.call('SET', key, 'soon', 'PX', 1);
    await node.call('SAVE');
    const file = join(sandbox.nodes[0]?.home ?? '', 'dump.rdb');
    const whole = join(sandbox.root, 'whole');
    await mkdir(whole);
    const bytes = await readFile(file);

    const verdict = await serversVerdict(program, file, whole);

    expect(verdict).toContain('RDB looks OK');
    const { keys, expires, hashesWithFieldExpiry, functions, databases, aux, checksum } = await checkRdb([bytes]);
    const ours: Record<string, number> = {
      ...{ 'keys read': keys, expires, 'already expired': await expiredIn(bytes) },
      ...{ subexpires: hashesWithFieldExpiry, functions },
    };
    const theirs = figuresOf(verdict);
    expect(theirs).toEqual(Object.fromEntries(Object.keys(theirs).map((name) => [name, ours[name]])));
    expect(theirs).toMatchObject({ 'keys read': keys, expires, 'already expired': 2 });
    expect(checksum === 'verified').toBe(verdict.includes('Checksum OK'));
    expect(databases.map(({ index }) => index)).toEqual(
      all(verdict, /Selecting DB ID (\d+)/g).map(([id]) => Number(id)),
    );
    for (const [name = '', value] of all(verdict, /AUX FIELD (\S+) = '(.*)'/g))
      expect([name, aux[name]]).toEqual([name, value]);

    const turned = (at: number): Buffer => {
      const copy = Buffer.from(bytes);
      copy[at] = (copy[at] ?? 0) ^ (1 << (at % 8));
      return copy;
    };
    const places = [
      ...Array.from({ length: 8 }, (_, i) => Math.floor(((i + 1) * bytes.length) / 9)),
      bytes.length - 20,
    ];
    const damages = [
      ...places.map((at) => [`bit of byte ${at}`, turned(at)] as const),
      ...[9, 300, places[3] ?? 0, bytes.length - 9, bytes.length - 1].map(
        (length) => [`cut at ${length}`, bytes.subarray(0, length)] as const,
      ),
    ];
    for (const [what, damagedBytes] of damages) {
      const folder = join(sandbox.root, what.replaceAll(' ', '-'));
      await mkdir(folder);
      await writeFile(join(folder, 'dump.rdb'), damagedBytes);
      expect(await serversVerdict(program, join(folder, 'dump.rdb'), folder), what).not.toContain('RDB looks OK');
      await expect(checkRdb([damagedBytes]), what).rejects.toMatchObject(damaged);
    }
  },
);

const all = (text: string, pattern: RegExp): string[][] => [...text.matchAll(pattern)].map((match) => match.slice(1));

/** What it counts at its end, by the words that it uses: up to 7.2 `keys read`, `expires` and `already expired`. */
const figuresOf = (verdict: string): Record<string, number> =>
  Object.fromEntries(all(verdict, /^\[info\] (\d+) (.+)$/gm).map(([count, name = '']) => [name, Number(count)]));

async function expiredIn(file: Buffer): Promise<number> {
  const now = Date.now();
  let expired = 0;
  for await (const record of readEntries([file]))
    if (record.kind === 'key' && record.first && (record.expiresAt ?? Infinity) < now) expired++;
  return expired;
}

function* pieces(file: Buffer, sizes: readonly number[]): Generator<Buffer> {
  for (let at = 0, i = 0; at < file.length; i++) {
    const size = sizes[i % sizes.length] ?? 1;
    yield file.subarray(at, at + size);
    at += size;
  }
}
