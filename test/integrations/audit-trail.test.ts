// Two attempts at the same entries, one that hung and wakes, and a store that gets them twice: each is on the trail once.
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { AuditTrail, sealVerifier, sha256 } from '../../integrations/audit-trail.js';
import { backupTarget, type BackupPlace } from '../../integrations/backup-target.js';
import type { AuditEvent } from '../../model/audit/entry.js';
import { checkTrail } from '../../model/audit/verify.js';
import { parseDeployment } from '../../model/deployment-file.js';
import { S3Server } from '../../scripts/sandbox/s3-server.js';

let s3: S3Server;
let folder: string;
let places: Record<'folder' | 's3', BackupPlace>;
beforeAll(async () => {
  s3 = await S3Server.start();
  folder = await mkdtemp(join(tmpdir(), 'redis-rollout-audit-'));
  vi.stubEnv('ROLLOUT_TEST_S3_ID', s3.accessKeyId);
  vi.stubEnv('ROLLOUT_TEST_S3_SECRET', s3.secretAccessKey);
  const credentials = { accessKeyId: 'env:ROLLOUT_TEST_S3_ID', secretAccessKey: 'env:ROLLOUT_TEST_S3_SECRET' };
  const bucket = { kind: 's3' as const, bucket: s3.bucket, region: 'us-east-1', endpoint: s3.endpoint, ...credentials };
  places = {
    folder: { directory: folder, keep: 3 },
    s3: { directory: folder, keep: 3, target: bucket },
  };
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await s3[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const file = parseDeployment(
  'name: orders\ntopology: cluster\nseeds: ["10.0.0.1:6379"]\nplatform: {kind: process}\nbackup: {directory: /b}\n',
  'orders.yaml',
);
const trailOf = (kind: 'folder' | 's3', name: string, signingKey?: string): Promise<AuditTrail> =>
  AuditTrail.open({
    ...{ ...file, name, backup: { ...file.backup, ...places[kind] } },
    audit: signingKey === undefined ? {} : { signingKey },
  });
const now = (): string => '2026-11-30T08:00:09.000Z';
const event = (run: string, second: number, text: string): AuditEvent => ({
  ...{ deployment: 'orders', operation: 'redis/orders', run, kind: 'note', text },
  at: new Date(Date.UTC(2026, 10, 30, 8, 0, second)).toISOString(),
});
const texts = async (trail: AuditTrail): Promise<string[]> => {
  const { entries, findings } = checkTrail(await trail.lines(), { digest: sha256 });
  expect(findings).toEqual([]);
  return entries.filter(({ kind }) => kind !== 'seal').map(({ text }) => text);
};

describe.each(['folder', 's3'] as const)('%s', (kind) => {
  test('an object is put where there is none, and never in the place of another', async () => {
    const target = await backupTarget(places[kind]);
    expect(await target.putNew('once/1', Buffer.from('first'))).toBe(true);
    expect(await target.putNew('once/1', Buffer.from('second'))).toBe(false);
    const all = await Promise.all([1, 2, 3, 4].map((n) => target.putNew('once/2', Buffer.from(`writer ${n}`))));
    expect(all.filter((it) => it)).toHaveLength(1);
    const pieces: Buffer[] = [];
    for await (const piece of target.get('once/1')) pieces.push(piece);
    expect(Buffer.concat(pieces).toString()).toBe('first');
    expect(await target.list('once/')).toEqual(['once/1', 'once/2']);
    expect(await target.unfinished('once/')).toEqual([]);
  });

  test('what is on record already is not written again, whoever asks, and operations follow each other in one chain', async () => {
    const trail = await trailOf(kind, 'orders');
    const [a, b, c] = [event('one', 1, 'a'), event('one', 2, 'b'), event('one', 3, 'c')];
    const first = await trail.append('one', [a, b], now);
    expect(first.n).toBe(3);
    expect(await trail.append('one', [a, b], now)).toEqual(first);
    await trail.append('one', [a, b, c], now);
    const head = await trail.append('two', [event('two', 4, 'a')], now);
    expect(await texts(trail)).toEqual(['a', 'b', 'c', 'a']);
    expect(checkTrail(await trail.lines(), { digest: sha256 }).head).toEqual(head);
  });

  test('five at once, each with something of its own: none is lost, none is there twice, the chain is one', async () => {
    const trail = await trailOf(kind, 'crowd');
    const all = [1, 2, 3, 4, 5].map((n) => event('crowd', n, `entry ${n}`));
    await Promise.all(all.map((_, n) => trail.append('crowd', all.slice(0, n + 1), now)));
    expect((await texts(trail)).sort()).toEqual(all.map(({ text }) => text));
  });
});

test('batches are signed with the key of the deployment file, and what is no such key is said without repeating it', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  vi.stubEnv('ROLLOUT_TEST_SIGNING', privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
  const trail = await trailOf('folder', 'signed', 'env:ROLLOUT_TEST_SIGNING');
  await trail.append('one', [event('one', 1, 'a')], now);
  await trail.append('one', [event('one', 1, 'a'), event('one', 2, 'b')], now);
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const verify = sealVerifier([{ pem, from: 'audit.pem' }]);
  expect(checkTrail(await trail.lines(), { digest: sha256, verify })).toMatchObject({
    findings: [],
    seals: 2,
    signed: 2,
  });

  vi.stubEnv('ROLLOUT_TEST_SIGNING', 'a password, and no key');
  const refused = (await trailOf('folder', 'signed', 'env:ROLLOUT_TEST_SIGNING')).append(
    'x',
    [event('x', 1, 'a')],
    now,
  );
  await expect(refused).rejects.toMatchObject({
    type: 'BadInput',
    message: expect.stringMatching(/^audit\.signingKey \(env:ROLLOUT_TEST_SIGNING\): expected an Ed25519 private key/) as string, // prettier-ignore
  });
  await expect(refused).rejects.not.toThrow(/password/);
});
