// A write that is archived no more, or twice, once its segment was made part of a larger one; or a worker that died just then.
import { randomBytes } from 'node:crypto';
import { CreateMultipartUploadCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { archivedStream } from '../../../activities/archived-stream.js';
import { mergeArchive } from '../../../activities/merge-archive.js';
import { ArchiveStore } from '../../../integrations/archive-store.js';
import { BackupStore } from '../../../integrations/backup-store.js';
import { backupTarget } from '../../../integrations/backup-target.js';
import type { SealingKeys } from '../../../integrations/sealed.js';
import { coveredOf, lastOf, stretchesOf, type Segment } from '../../../model/archive.js';
import type { Deployment } from '../../../model/deployment.js';
import { S3Server } from '../../../scripts/sandbox/s3-server.js';
import { answerError, StoreBetween } from '../../e2e/stage/store-between.js';
import { ArchiveStage, contentOf } from './stage.js';

const HOUR = 3_600_000;
/** A full hour, so that all of a test is of the same one. */
const BEGAN = Math.floor(Date.parse('2026-11-29T12:00:00Z') / HOUR) * HOUR;
const SLOTS = '0-16383';
const { signal } = new AbortController();

let s3: S3Server;
let between: StoreBetween;
let archive: ArchiveStore;
/** The same, past whatever is refused. */
let aside: ArchiveStore;
let keys: SealingKeys;
let deployment: Deployment;
beforeAll(async () => {
  s3 = await S3Server.start();
  between = await StoreBetween.to(s3.endpoint);
});
afterAll(async () => {
  await between[Symbol.asyncDispose]();
  await s3[Symbol.asyncDispose]();
  vi.unstubAllEnvs();
});
beforeEach(async () => {
  between.refuse = undefined;
  vi.stubEnv('ROLLOUT_TEST_BACKUP_KEY', randomBytes(32).toString('base64'));
  vi.stubEnv('ROLLOUT_TEST_S3_ID', s3.accessKeyId);
  vi.stubEnv('ROLLOUT_TEST_S3_SECRET', s3.secretAccessKey);
  const prefix = randomBytes(4).toString('hex');
  const reaching = (endpoint: string) =>
    ({
      name: 'orders',
      backup: {
        ...{ directory: '/nowhere', encryption: { key: 'env:ROLLOUT_TEST_BACKUP_KEY', olderKeys: [] } },
        target: {
          ...{ kind: 's3', bucket: s3.bucket, prefix, region: 'us-east-1', endpoint },
          ...{ accessKeyId: 'env:ROLLOUT_TEST_S3_ID', secretAccessKey: 'env:ROLLOUT_TEST_S3_SECRET' },
        },
      },
    }) as unknown as Deployment;
  archive = await ArchiveStore.open(reaching(between.endpoint));
  deployment = reaching(s3.endpoint);
  aside = await ArchiveStore.open(deployment);
  keys = await (await BackupStore.open(deployment)).keys();
});

/** Of each offset another byte. */
const bytesOf = (first: number, end: number): Buffer =>
  Buffer.from(Array.from({ length: end - first + 1 }, (_, i) => ((first + i) * 31) % 251));
type Written = Partial<Segment> & { bytes?: Buffer; aligned?: boolean };
async function write(first: number, end: number, { bytes, aligned = true, ...more }: Written = {}): Promise<Segment> {
  const segment = {
    ...{ slots: SLOTS, line: 'line-1', first, end, from: BEGAN + first, to: BEGAN + end, replid: 'a'.repeat(40) },
    ...{ release: '8.0.2', ...more },
  };
  const { replid, release, away } = segment;
  const header = {
    ...{ format: 1 as const, first, replid, release, node: '10.0.0.4:6379', role: 'replica' as const, aligned },
    ...(away ? { late: { since: away.from, upTo: end } } : {}),
  };
  const records = [{ at: BEGAN + end, first, bytes: bytes ?? bytesOf(first, end) }];
  return (await aside.put(segment, { header, records, keys })).segment;
}
async function tens(count: number, more: Written = {}): Promise<void> {
  for (let n = 0; n < count; n++) await write(n * 10 + 1, n * 10 + 10, more);
}
const merge = (until = BEGAN + 2 * HOUR) => mergeArchive({ archive, keys, until, signal });
const spans = async (): Promise<string[]> =>
  stretchesOf(await aside.segments()).flatMap(({ segments }) => segments.map(({ first, end }) => `${first}-${end}`));
async function expectWhole(line: string, end: number): Promise<void> {
  const stretch = stretchesOf(await aside.segments()).find((it) => it.line === line);
  const pieces: Buffer[] = [];
  for await (const { bytes, after } of archivedStream({ archive: aside, keys }, stretch?.segments ?? [], {
    after: 0,
  })) {
    expect(after).toBe(pieces.reduce((sum, it) => sum + it.length, 0));
    pieces.push(bytes);
  }
  expect(Buffer.concat(pieces).equals(bytesOf(1, end))).toBe(true);
}

test('an hour that is over becomes one; what is younger, of another history, or begins after nobody archived, stays apart', async () => {
  await tens(4);
  await write(41, 50, { replid: 'b'.repeat(40) });
  await write(51, 60, { replid: 'b'.repeat(40) });
  await write(61, 70, { replid: 'b'.repeat(40), away: { from: BEGAN + 60, to: BEGAN + 70 } });
  await write(71, 80, { replid: 'b'.repeat(40) });
  await write(81, 90, { replid: 'b'.repeat(40), to: BEGAN + HOUR + 1 });
  expect(await merge(BEGAN + HOUR - 1)).toEqual({ segments: 0, into: 0, bytes: 0 });
  expect(await merge(BEGAN + HOUR)).toEqual({ segments: 8, into: 3, bytes: 80 });
  expect(await spans()).toEqual(['1-40', '41-60', '61-80', '81-90']);
  expect(await aside.segments()).toHaveLength(4);
  expect((await aside.segments()).map(({ away }) => away)).toEqual([undefined, undefined, { from: BEGAN + 60, to: BEGAN + 70 }, undefined]); // prettier-ignore
  await expectWhole('line-1', 90);
  expect(await merge(BEGAN + HOUR)).toEqual({ segments: 0, into: 0, bytes: 0 });
  // Each keeps what it began with, and a reader hears of it.
  const [, , third] = await aside.segments();
  const headers: unknown[] = [];
  if (third)
    for await (const part of aside.get(third, keys)) if (!('bytes' in part)) headers.push([part.first, part.late]);
  expect(headers).toEqual([
    [61, { since: BEGAN + 60, upTo: 70 }],
    [71, undefined],
  ]);
});

test('a worker that dies at any request: nothing is missing or there twice, and the next one ends it', async () => {
  let ended = 0;
  for (let nth = 1; ended === 0; nth++) {
    const line = `line-${String(nth).padStart(2, '0')}`;
    await tens(5, { line });
    let changes = 0;
    between.refuse = ({ method }, answer) => {
      if (method !== 'GET' && method !== 'HEAD') changes++;
      return changes >= nth && answerError(answer, 403, 'AccessDenied', 'it is dead');
    };
    await merge().then(
      () => (ended = nth),
      (error: unknown) => expect(error).toMatchObject({ type: 'Unauthorized' }),
    );
    await expectWhole(line, 50);
    between.refuse = undefined;
    await merge();
    await expectWhole(line, 50);
    expect((await aside.segments()).filter((it) => it.line === line)).toHaveLength(1);
  }
  // The upload is begun, its part put, and completed; and each of five goes.
  expect(ended).toBeGreaterThan(7);
}, 240_000);

test('two at once, and two who wrote the same bytes: each byte is there once', async () => {
  await tens(6);
  for (const first of [5, 15, 38]) await write(first, first + 14, { line: 'line-1', aligned: false });
  await Promise.allSettled([merge(), merge(), merge()]);
  await expectWhole('line-1', 60);
  await merge();
  await expectWhole('line-1', 60);
  expect(await aside.segments()).toHaveLength(1);
  expect(coveredOf(await aside.segments())).toEqual([]);
});

test('who listed them before goes on in the larger one, at the byte where he was', async () => {
  await tens(5);
  const [stretch] = stretchesOf(await aside.segments());
  const found: Buffer[] = [];
  for await (const { bytes } of archivedStream({ archive: aside, keys }, stretch?.segments ?? [], {
    after: 3,
    upTo: 47,
  })) {
    if (found.length === 1) await merge();
    found.push(bytes);
  }
  expect(await aside.segments()).toHaveLength(1);
  expect(Buffer.concat(found).equals(bytesOf(4, 47))).toBe(true);
});

test('what holds something else than the larger one is not removed, and both are named', async () => {
  await write(1, 40);
  const other = await write(11, 20, { bytes: Buffer.alloc(10, 'x') });
  await tens(2, { line: 'line-2' });
  const merging = merge();
  await expect(merging).rejects.toMatchObject({ type: 'Damaged' });
  await expect(merging).rejects.toThrow(other.object);
  expect((await aside.segments()).map(({ line, first, end }) => `${line} ${first}-${end}`)).toEqual([
    ...['line-1 1-40', 'line-1 11-20', 'line-2 1-20'],
  ]);
});

test('one that is locked is left until it can be removed', async () => {
  await tens(3);
  between.refuse = ({ method }, answer) => {
    if (method !== 'HEAD') return false;
    const until = new Date(Date.now() + HOUR).toISOString();
    answer.writeHead(200, { 'x-amz-object-lock-mode': 'GOVERNANCE', 'x-amz-object-lock-retain-until-date': until });
    answer.end();
    return true;
  };
  expect(await merge()).toEqual({ segments: 0, into: 0, bytes: 0 });
  between.refuse = undefined;
  expect(await merge()).toEqual({ segments: 3, into: 1, bytes: 30 });
});

test('what a merge has begun whose worker died, and whose segments were pruned, is ended a day later', async () => {
  const { object } = await write(1, 10);
  const client = new S3Client({
    ...{ endpoint: s3.endpoint, region: 'us-east-1', forcePathStyle: true },
    credentials: { accessKeyId: s3.accessKeyId, secretAccessKey: s3.secretAccessKey },
  });
  const target = await backupTarget(deployment.backup);
  const { prefix = '' } = deployment.backup.target as { prefix?: string };
  for (const Key of [object, 'orders/20261129T120000Z-1a2b3c4d/shard-1.rdb.gz.sealed'])
    await client.send(new CreateMultipartUploadCommand({ Bucket: s3.bucket, Key: `${prefix}/${Key}` }));
  const begun = async (): Promise<number> => (await target.unfinished('orders/')).length;
  const backups = await BackupStore.open(deployment);
  await backups.tidy(Date.now());
  expect(await begun()).toBe(2);
  // A backup's is a prune's to decide on.
  await backups.tidy(Date.now() + 26 * HOUR);
  expect(await begun()).toBe(1);
  expect((await aside.segments()).map((it) => it.object)).toEqual([object]);
});

test('of a real server: each moment is the same before and after', async () => {
  await using stage = await ArchiveStage.open('8.0', s3);
  const snapshot = await stage.archiving();
  const offsets: number[] = [];
  for (let n = 0; n < 30; n++) {
    await stage.primary.call('SET', `key:${n}`, 'x'.repeat(n * 100));
    offsets.push(await stage.offset());
    await stage.stored(offsets[n] ?? 0);
  }
  await stage.primary.call('FLUSHALL');
  await stage.primary.call('SET', 'after', '1');
  await stage.stored(await stage.offset());
  await stage.stop();
  const points = [
    ...[
      { kind: 'before' as const, words: ['FLUSHALL'] },
      { kind: 'before' as const, words: ['SET', 'key:11'] },
    ],
    ...[12, 25].map((n) => ({ kind: 'offset' as const, shard: 'shard-1', offset: offsets[n] ?? 0 })),
  ];
  const before = await Promise.all(points.map((it) => stage.resolve(it)));
  const merged = await mergeArchive({ archive: stage.archive, keys: stage.keys, until: Date.now() + 2 * HOUR, signal });
  expect(merged.segments).toBeGreaterThan(25);
  // One; more where an hour has ended meanwhile, or nobody archived for a second.
  expect((await stage.archive.segments()).length).toBeLessThan(5);
  expect(await Promise.all(points.map((it) => stage.resolve(it)))).toEqual(before);
  for (const n of [0, 12, 29]) expect((await contentOf(stage.at(snapshot, offsets[n] ?? 0))).size).toBe(n + 2);
  const [stretch] = await stage.stretches();
  if (!stretch) throw new Error('nothing is archived');
  expect([...(await contentOf(stage.at(snapshot, lastOf(stretch).end))).keys()]).toEqual(['0 after']);
}, 120_000);
