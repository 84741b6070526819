// A backup that somebody removed before its time; and a prune that fails because the store does what it was asked for.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateBucketCommand, DeleteObjectCommand, ListObjectVersionsCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { backupTarget, type BackupTarget } from '../../integrations/backup-target.js';
import { until } from '../../scripts/sandbox/cluster.js';
import { S3Server } from '../../scripts/sandbox/s3-server.js';

const BUCKET = 'locked';
let s3: S3Server;
let folder: string;
let client: S3Client;
beforeAll(async () => {
  s3 = await S3Server.start({ versions: true });
  folder = await mkdtemp(join(tmpdir(), 'redis-rollout-lock-'));
  const { accessKeyId, secretAccessKey } = s3;
  vi.stubEnv('ROLLOUT_TEST_S3_ID', accessKeyId);
  vi.stubEnv('ROLLOUT_TEST_S3_SECRET', secretAccessKey);
  const credentials = { accessKeyId, secretAccessKey };
  client = new S3Client({ region: 'us-east-1', endpoint: s3.endpoint, forcePathStyle: true, credentials });
  await client.send(new CreateBucketCommand({ Bucket: BUCKET, ObjectLockEnabledForBucket: true }));
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await s3[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const lockedFor = (ms: number, mode: 'governance' | 'compliance' = 'compliance'): Promise<BackupTarget> =>
  backupTarget({
    ...{ directory: folder, keep: 3 },
    target: {
      ...{ kind: 's3', bucket: BUCKET, prefix: 'redis', region: 'us-east-1', endpoint: s3.endpoint },
      ...{ accessKeyId: 'env:ROLLOUT_TEST_S3_ID', secretAccessKey: 'env:ROLLOUT_TEST_S3_SECRET' },
      objectLock: { mode, for: ms },
    },
  });
async function* text(content: string): AsyncGenerator<Buffer, void, void> {
  yield await Promise.resolve(Buffer.from(content));
}
const versions = async (object: string): Promise<number> => {
  const page = await client.send(new ListObjectVersionsCommand({ Bucket: BUCKET, Prefix: `redis/${object}` }));
  return (page.Versions ?? []).length + (page.DeleteMarkers ?? []).length;
};

test.each(['governance', 'compliance'] as const)('%s: what is locked says until when, and stays', async (mode) => {
  const target = await lockedFor(3_600_000, mode);
  const before = Date.now();
  await target.put(`${mode}/a`, text('kept'));
  const until = Date.parse((await target.lockedUntil(`${mode}/a`)) ?? '');
  expect(until).toBeGreaterThan(before + 3_590_000);
  expect(until).toBeLessThan(Date.now() + 3_610_000);
  expect(await target.remove(`${mode}/a`)).toBe(false);
  // Not by others, either.
  const { Versions = [] } = await client.send(
    new ListObjectVersionsCommand({ Bucket: BUCKET, Prefix: `redis/${mode}/a` }),
  );
  const { VersionId } = Versions[0] ?? {};
  await expect(
    client.send(new DeleteObjectCommand({ Bucket: BUCKET, Key: `redis/${mode}/a`, VersionId })),
  ).rejects.toThrow();
  expect(await target.list(`${mode}/`)).toEqual([`${mode}/a`]);
  for await (const chunk of target.get(`${mode}/a`)) expect(chunk.toString()).toBe('kept');
});

test('once the time has passed it goes, with every version of it', async () => {
  const target = await lockedFor(2000);
  await target.put('short/a', text('one'));
  await target.put('short/a', text('two'));
  await until('the lock has run out', async () => (await target.lockedUntil('short/a')) === undefined);
  await until('the store lets go of it', () => target.remove('short/a'));
  expect(await target.list('short/')).toEqual([]);
  expect(await versions('short/a')).toBe(0);
  expect(await target.lockedUntil('short/a')).toBeUndefined();
  expect(await target.remove('short/a')).toBe(true);
});

test('a bucket that was made without object lock is named', async () => {
  await client.send(new CreateBucketCommand({ Bucket: 'open' }));
  const target = await backupTarget({
    ...{ directory: folder, keep: 3 },
    target: {
      ...{ kind: 's3', bucket: 'open', region: 'us-east-1', endpoint: s3.endpoint },
      ...{ accessKeyId: 'env:ROLLOUT_TEST_S3_ID', secretAccessKey: 'env:ROLLOUT_TEST_S3_SECRET' },
      objectLock: { mode: 'governance', for: 1000 },
    },
  });
  const putting = target.put('a', text('a'));
  await expect(putting).rejects.toMatchObject({ type: 'BadDeploymentFile', retryable: false });
  await expect(putting).rejects.toThrow(/backup.target.objectLock/);
});
