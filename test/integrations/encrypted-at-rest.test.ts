// A store that encrypts what lies in it, and gives back something else, or a checksum that is that of what lies there.
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { CreateBucketCommand, HeadObjectCommand, PutBucketEncryptionCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BackupTarget } from '../../integrations/backup-target.js';
import { s3Target } from '../../integrations/s3-target.js';
import { until } from '../../scripts/sandbox/cluster.js';
import { SeaweedfsServer } from '../../scripts/sandbox/seaweedfs-server.js';

const Bucket = 'backups';
const MB = 1024 * 1024;
const planted = Buffer.from('planted-in-an-object-'.repeat(500));

let store: SeaweedfsServer;
let client: S3Client;
let target: BackupTarget;
beforeAll(async () => {
  store = await SeaweedfsServer.start();
  const { endpoint, accessKeyId, secretAccessKey } = store;
  const credentials = { accessKeyId, secretAccessKey };
  client = new S3Client({ region: 'us-east-1', endpoint, forcePathStyle: true, credentials });
  // It answers before all of its parts have found each other.
  await until(
    'a bucket can be made',
    async () => Boolean(await client.send(new CreateBucketCommand({ Bucket }))),
    60_000,
  );
  const byDefault = { ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' as const } };
  const ServerSideEncryptionConfiguration = { Rules: [byDefault] };
  await client.send(new PutBucketEncryptionCommand({ Bucket, ServerSideEncryptionConfiguration }));
  target = await s3Target({ bucket: Bucket, prefix: 'redis', region: 'us-east-1', endpoint, credentials });
});
afterAll(async () => {
  client.destroy();
  await store[Symbol.asyncDispose]();
});

// eslint-disable-next-line @typescript-eslint/require-await -- what it stands for waits
async function* pieces(bytes: Buffer): AsyncGenerator<Buffer, void, void> {
  for (let at = 0; at < bytes.length; at += 100_000) yield bytes.subarray(at, at + 100_000);
}
async function whole(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}

test('what was put is what is got, in one part, in two and at once, and none of it lies there as it is', async () => {
  const objects = { one: planted, two: Buffer.concat([planted, randomBytes(17 * MB), planted]), once: planted };
  await target.put('a/one', pieces(objects.one));
  await target.put('a/two', pieces(objects.two));
  await target.putAtOnce('a/once', objects.once);

  for (const [name, bytes] of Object.entries(objects)) {
    expect((await whole(target.get(`a/${name}`))).equals(bytes), name).toBe(true);
    const head = await client.send(new HeadObjectCommand({ Bucket, Key: `redis/a/${name}` }));
    expect([head.ServerSideEncryption, head.ContentLength]).toEqual(['AES256', bytes.length]);
  }
  expect((await target.objects('a/')).map(({ object, bytes }) => [object, bytes])).toEqual([
    ['a/once', planted.length],
    ['a/one', planted.length],
    ['a/two', objects.two.length],
  ]);
  const files = await store.files();
  expect(files.length).toBeGreaterThan(0);
  for (const file of files) expect((await readFile(file)).includes('planted-in-an-object'), file).toBe(false);
}, 240_000);

test('what is gone is missing, by its name, and an upload that failed leaves nothing', async () => {
  await target.put('b/gone', pieces(planted));
  expect(await target.remove('b/gone')).toBe(true);
  await expect(whole(target.get('b/gone'))).rejects.toMatchObject({ type: 'Damaged' });
  await expect(whole(target.get('b/gone'))).rejects.toThrow(/^b\/gone: it is missing in s3:\/\/backups\/redis/);
  async function* failing(): AsyncGenerator<Buffer, void, void> {
    yield* pieces(randomBytes(17 * MB));
    throw new Error('the replica went away');
  }
  await expect(target.put('b/half', failing())).rejects.toThrow('the replica went away');
  expect([await target.list('b/'), await target.unfinished('b/')]).toEqual([[], []]);
}, 240_000);
