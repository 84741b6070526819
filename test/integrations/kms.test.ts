// A backup that nobody can open any more since its key was rotated; or that is called damaged since KMS said no.
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { seal, sealingKeys, unseal, type SealedAs, type SealingKeys } from '../../integrations/sealed.js';
import { KmsServer } from '../../scripts/sandbox/kms-server.js';
import { Toxiproxy } from '../../scripts/sandbox/toxiproxy.js';

const as: SealedAs = { deployment: 'orders', backup: '20261129T120000Z-1a2b3c4d', object: 'shard-1.rdb.gz.sealed' };
let kms: KmsServer;
let arn: string;
beforeAll(async () => {
  kms = await KmsServer.start();
  arn = await kms.createKey();
  vi.stubEnv('ROLLOUT_TEST_KEY', randomBytes(32).toString('base64'));
  for (const [name, value] of Object.entries(kms.environment)) vi.stubEnv(name, value);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await kms[Symbol.asyncDispose]();
});

async function* one(bytes: Buffer): AsyncGenerator<Buffer, void, void> {
  yield await Promise.resolve(bytes);
}
async function whole(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}
const sealed = (plain: Buffer, keys: SealingKeys): Promise<Buffer> => whole(seal(one(plain), { keys, as }));
const opened = (bytes: Buffer, keys: SealingKeys, its = as): Promise<Buffer> =>
  whole(unseal(one(bytes), { keys, as: its }));
const plain = randomBytes(300_000);

test('what a key of KMS has sealed it opens, in its place only, and no other key does', async () => {
  const keys = await sealingKeys([`kms:${arn}`]);
  expect(keys).toMatchObject({ id: arn, ids: [arn] });
  const bytes = await sealed(plain, keys);
  expect(bytes.includes(plain.subarray(0, 64))).toBe(false);
  expect((await opened(bytes, await sealingKeys([`kms:${arn}`]))).equals(plain)).toBe(true);
  await expect(opened(bytes, keys, { ...as, object: 'shard-2.rdb.gz.sealed' })).rejects.toMatchObject({
    type: 'Damaged',
  });
  const another = await sealingKeys([`kms:${await kms.createKey()}`]);
  await expect(opened(bytes, another)).rejects.toThrow(/none of the keys arn:aws:kms:.* opens it/);
});

test('rotated: from a key of one’s own to one of KMS, and on to another of KMS', async () => {
  const own = await sealed(plain, await sealingKeys(['env:ROLLOUT_TEST_KEY']));
  const first = await sealed(plain, await sealingKeys([`kms:${arn}`, 'env:ROLLOUT_TEST_KEY']));
  const next = await kms.createKey();
  const all = await sealingKeys([`kms:${next}`, `kms:${arn}`, 'env:ROLLOUT_TEST_KEY']);
  const second = await sealed(plain, all);
  for (const bytes of [own, first, second]) expect((await opened(bytes, all)).equals(plain)).toBe(true);
  await expect(opened(second, await sealingKeys([`kms:${arn}`]))).rejects.toMatchObject({ type: 'Damaged' });
});

test('a key that is disabled, or is none, is a refusal that names it, and no damage', async () => {
  const key = await kms.createKey();
  const bytes = await sealed(plain, await sealingKeys([`kms:${key}`]));
  await kms.disable(key);
  const [disabled, none] = [
    await sealingKeys([`kms:${key}`]),
    await sealingKeys(['kms:arn:aws:kms:eu-central-1:111122223333:key/none']),
  ];
  for (const act of [() => sealed(plain, disabled), () => opened(bytes, disabled), () => sealed(plain, none)]) {
    const refusal = act();
    await expect(refusal).rejects.toMatchObject({ type: 'Unauthorized', retryable: false });
    await expect(refusal).rejects.toThrow(/^kms:arn:aws:kms:eu-central-1:.* \(backup\.encryption\): \w+/);
  }
  await kms.enable(key);
  expect((await opened(bytes, await sealingKeys([`kms:${key}`]))).equals(plain)).toBe(true);
});

test('a KMS that is away is worth another try', async () => {
  const bytes = await sealed(plain, await sealingKeys([`kms:${arn}`]));
  await using toxiproxy = await Toxiproxy.start();
  const proxy = await toxiproxy.proxy('kms', new URL(kms.endpoint).host);
  vi.stubEnv('AWS_ENDPOINT_URL_KMS', `http://${proxy.address}`);
  await proxy.cut();
  const keys = await sealingKeys([`kms:${arn}`]);
  for (const act of [() => sealed(plain, keys), () => opened(bytes, keys)]) {
    const refusal = act();
    await expect(refusal).rejects.toMatchObject({ type: 'Unreachable', retryable: true });
    await expect(refusal).rejects.toThrow(arn);
  }
  await proxy.mend();
  expect((await opened(bytes, await sealingKeys([`kms:${arn}`]))).equals(plain)).toBe(true);
});
