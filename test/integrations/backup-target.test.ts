// A store that is slow, refuses, loses the connection or the object, and a worker that dies in the middle of an upload.
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { backupTarget, type BackupTarget } from '../../integrations/backup-target.js';
import { S3Server } from '../../scripts/sandbox/s3-server.js';
import { Toxiproxy } from '../../scripts/sandbox/toxiproxy.js';

const MB = 1024 * 1024;
let s3: S3Server;
let folder: string;
let targets: { s3: BackupTarget; folder: BackupTarget };
beforeAll(async () => {
  s3 = await S3Server.start();
  folder = await mkdtemp(join(tmpdir(), 'redis-rollout-target-'));
  vi.stubEnv('ROLLOUT_TEST_S3_ID', s3.accessKeyId);
  vi.stubEnv('ROLLOUT_TEST_S3_SECRET', s3.secretAccessKey);
  targets = {
    s3: await s3At(s3.endpoint),
    folder: await backupTarget({ directory: folder, keep: 3 }),
  };
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await s3[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});
const open: Server[] = [];
afterEach(() => {
  for (const server of open.splice(0)) server.close();
});

const s3At = (endpoint: string, more: { bucket?: string; secretAccessKey?: string } = {}): Promise<BackupTarget> =>
  backupTarget({
    directory: folder,
    keep: 3,
    target: {
      ...{ kind: 's3', bucket: s3.bucket, prefix: 'redis', region: 'us-east-1', endpoint },
      ...{ accessKeyId: 'env:ROLLOUT_TEST_S3_ID', secretAccessKey: 'env:ROLLOUT_TEST_S3_SECRET', ...more },
    },
  });

// eslint-disable-next-line @typescript-eslint/require-await -- what it stands for waits
async function* pieces(bytes: Buffer, size = 100_000): AsyncGenerator<Buffer, void, void> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
async function whole(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

describe.each(['folder', 's3'] as const)('%s', (kind) => {
  test.each([0, 1, 15 * MB, 33 * MB + 7])('what was put is what is got: %i bytes', async (size) => {
    const target = targets[kind];
    const bytes = randomBytes(size);
    expect(await target.put(`sizes/${size}`, pieces(bytes))).toEqual({ bytes: size, sha256: sha256(bytes) });
    expect((await whole(target.get(`sizes/${size}`))).equals(bytes)).toBe(true);
  });

  test('one that is put again is replaced, and names are listed below a prefix', async () => {
    const target = targets[kind];
    for (const name of ['list/b/2', 'list/a/1', 'list/b/1', 'listed'])
      await target.put(name, pieces(Buffer.from('old')));
    await target.put('list/b/1', pieces(Buffer.from('new')));
    expect(await target.list('list/')).toEqual(['list/a/1', 'list/b/1', 'list/b/2']);
    expect(await target.list('list/b')).toEqual(['list/b/1', 'list/b/2']);
    expect(await target.list('nothing/')).toEqual([]);
    expect((await whole(target.get('list/b/1'))).toString()).toBe('new');
  });

  test('content that fails midway leaves nothing, and what was there before stays', async () => {
    const target = targets[kind];
    await target.put('halves/kept', pieces(Buffer.from('before')));
    for (const name of ['halves/kept', 'halves/new']) {
      async function* failing(): AsyncGenerator<Buffer, void, void> {
        yield* pieces(randomBytes(20 * MB));
        throw new Error('the replica went away');
      }
      await expect(target.put(name, failing())).rejects.toThrow('the replica went away');
    }
    expect(await target.list('halves/')).toEqual(['halves/kept']);
    expect((await whole(target.get('halves/kept'))).toString()).toBe('before');
  });

  test('what was begun is seen, and ended once and for all', async () => {
    const target = targets[kind];
    let seen: Awaited<ReturnType<BackupTarget['unfinished']>> = [];
    async function* watched(): AsyncGenerator<Buffer, void, void> {
      yield* pieces(randomBytes(17 * MB));
      seen = await target.unfinished('begun/');
      for (const it of [...seen, ...seen]) await target.abort(it);
      yield randomBytes(17 * MB);
    }
    const before = Date.now();
    // Who is aborted can't finish: nobody's half becomes a whole.
    await expect(target.put('begun/a', watched())).rejects.toMatchObject({ retryable: true });
    expect(seen.map(({ object }) => object)).toEqual(['begun/a']);
    for (const { begunAt } of seen) expect(Math.abs(begunAt - before)).toBeLessThan(60_000);
    expect(await target.list('begun/')).toEqual([]);
    expect(await target.unfinished('begun/')).toEqual([]);
  });

  test('what is removed is gone, twice over, and its neighbours are there', async () => {
    const target = targets[kind];
    for (const name of ['removed/1/a', 'removed/1/b', 'removed/10/a'])
      await target.put(name, pieces(Buffer.from('it')));
    const sizes = (await target.objects('removed/')).map(({ object, bytes }) => [object, bytes]);
    expect(sizes).toEqual([
      ['removed/1/a', 2],
      ['removed/1/b', 2],
      ['removed/10/a', 2],
    ]);
    for (const name of ['removed/1/a', 'removed/1/a', 'removed/1/b', 'removed/none/a']) {
      expect(await target.lockedUntil(name)).toBeUndefined();
      expect(await target.remove(name)).toBe(true);
    }
    expect(await target.list('removed/')).toEqual(['removed/10/a']);
  });

  test('an object that is missing is named', async () => {
    const getting = whole(targets[kind].get('orders/1/shard-1.rdb.gz.sealed'));
    await expect(getting).rejects.toMatchObject({ type: 'Damaged' });
    await expect(getting).rejects.toThrow(/^orders\/1\/shard-1.rdb.gz.sealed: it is missing in/);
  });
});

describe('folder', () => {
  test('what a worker left that died is no object, and goes', async () => {
    await targets.folder.put('died/b', pieces(Buffer.from('b')));
    const below = join(folder, '_backups', 'died');
    await writeFile(join(below, 'a.0badcafe.partial'), 'half');
    expect(await targets.folder.list('died/')).toEqual(['died/b']);
    await targets.folder.put('died/a', pieces(Buffer.from('a')));
    expect((await readdir(below)).sort()).toEqual(['a', 'b']);
    expect(await readFile(join(below, 'a'), 'utf8')).toBe('a');
  });

  test('only the worker’s user can read it', async () => {
    await targets.folder.put('modes/a', pieces(Buffer.from('a')));
    const modes = await Promise.all(['modes', 'modes/a'].map((it) => stat(join(folder, '_backups', it))));
    expect(modes.map(({ mode }) => mode & 0o777)).toEqual([0o700, 0o600]);
  });

  test('a folder that can’t be one is named', async () => {
    await writeFile(join(folder, 'file'), '');
    await chmod(join(folder, 'file'), 0o600);
    const target = await backupTarget({
      ...{ directory: folder, keep: 3 },
      target: { kind: 'folder', folder: join(folder, 'file') },
    });
    await expect(target.put('a', pieces(Buffer.from('a')))).rejects.toThrow(join(folder, 'file', 'a'));
  });
});

describe('s3', () => {
  const client = (): S3Client => {
    const { accessKeyId, secretAccessKey } = s3;
    const credentials = { accessKeyId, secretAccessKey };
    return new S3Client({ region: 'us-east-1', endpoint: s3.endpoint, forcePathStyle: true, credentials });
  };
  const unfinished = async (): Promise<(string | undefined)[]> => {
    const { Uploads = [] } = await client().send(new ListMultipartUploadsCommand({ Bucket: s3.bucket }));
    return Uploads.map(({ Key }) => Key);
  };

  test('an upload that died is aborted when the object is begun anew, and others are left', async () => {
    for (const Key of ['redis/died/a', 'redis/died/a', 'redis/died/ab']) {
      const { UploadId } = await client().send(new CreateMultipartUploadCommand({ Bucket: s3.bucket, Key }));
      await client().send(
        new UploadPartCommand({ ...{ Bucket: s3.bucket, Key, UploadId, PartNumber: 1 }, Body: randomBytes(5 * MB) }),
      );
    }
    expect(await unfinished()).toEqual(['redis/died/a', 'redis/died/a', 'redis/died/ab']);
    await targets.s3.put('died/a', pieces(Buffer.from('a')));
    expect(await unfinished()).toEqual(['redis/died/ab']);
    expect(await targets.s3.list('died/')).toEqual(['died/a']);
  });

  test('wrong credentials, and a bucket that is not there', async () => {
    vi.stubEnv('ROLLOUT_TEST_WRONG', 'wrong');
    const stranger = await s3At(s3.endpoint, { secretAccessKey: 'env:ROLLOUT_TEST_WRONG' });
    const acts = [
      () => stranger.list(''),
      () => stranger.put('a', pieces(Buffer.from('a'))),
      () => whole(stranger.get('a')),
    ];
    for (const act of acts) {
      const refusal: unknown = await act().catch((error: unknown) => error);
      expect(refusal).toMatchObject({ type: 'Unauthorized', retryable: false });
      expect(String(refusal)).toMatch(/s3:\/\/backups\/redis.*SignatureDoesNotMatch/);
      expect(String(refusal)).not.toContain(s3.secretAccessKey);
    }
    const elsewhere = await s3At(s3.endpoint, { bucket: 'elsewhere' });
    await expect(elsewhere.list('')).rejects.toMatchObject({ type: 'BadDeploymentFile' });
    await expect(elsewhere.list('')).rejects.toThrow('there is no bucket elsewhere (backup.target)');
  });

  /** A way to the store that answers some requests itself. */
  async function between(act: (asked: IncomingMessage, answer: ServerResponse) => boolean): Promise<string> {
    const server = createServer((asked, answer) => {
      if (act(asked, answer)) return;
      const { method, url, headers } = asked;
      const passed = request(s3.endpoint, { method, path: url, headers }, (from) => {
        answer.writeHead(from.statusCode ?? 500, from.headers);
        from.pipe(answer);
      });
      passed.on('error', () => answer.destroy());
      asked.pipe(passed);
    });
    open.push(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }
  const slowDown = (answer: ServerResponse): true => {
    answer.writeHead(503, { 'content-type': 'application/xml', connection: 'close' });
    answer.end('<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>');
    return true;
  };

  test('503 SlowDown passes, again and again in one upload', async () => {
    let n = 0;
    const target = await s3At(await between((_, answer) => ++n % 2 === 1 && slowDown(answer)));
    const bytes = randomBytes(20 * MB);
    await target.put('slow-down/a', pieces(bytes));
    expect((await whole(target.get('slow-down/a'))).equals(bytes)).toBe(true);
    expect(n).toBeGreaterThan(8);
  }, 60_000);

  test('503 SlowDown that does not end is another try’s affair, and nothing is left', async () => {
    let parts = 0;
    const refusing = await between(
      (asked, answer) => (asked.url ?? '').includes('partNumber=2') && ++parts > 0 && slowDown(answer),
    );
    const putting = (await s3At(refusing)).put('refused/a', pieces(randomBytes(20 * MB)));
    await expect(putting).rejects.toMatchObject({ type: 'Unreachable', retryable: true });
    await expect(putting).rejects.toThrow(/^s3:\/\/backups\/redis\/refused\/a: SlowDown: Please reduce/);
    expect(parts).toBe(5);
    expect(await targets.s3.list('refused/')).toEqual([]);
    expect(await unfinished()).not.toContain('redis/refused/a');
  }, 60_000);

  test.each([
    [403, 'QuotaExceeded'],
    [507, 'InsufficientStorage'],
    [500, 'XMinioStorageFull'],
  ])(
    'a store that is full, which it says as %i %s: somebody has to make room, and nothing is left',
    async (status, code) => {
      const full = await between((asked, answer) => {
        if (!(asked.url ?? '').includes('partNumber=2')) return false;
        answer.writeHead(status, { 'content-type': 'application/xml', connection: 'close' });
        answer.end(`<Error><Code>${code}</Code><Message>There is no room left.</Message></Error>`);
        return true;
      });
      const putting = (await s3At(full)).put('full/a', pieces(randomBytes(20 * MB)));
      await expect(putting).rejects.toMatchObject({ type: 'NoSpace', retryable: true });
      await expect(putting).rejects.toThrow(`s3://backups/redis/full/a: ${code}: There is no room left.`);
      expect(await targets.s3.list('full/')).toEqual([]);
      expect(await unfinished()).not.toContain('redis/full/a');
    },
    60_000,
  );

  test('a connection that is lost in the middle of a part, and in the middle of what is read', async () => {
    const bytes = randomBytes(40 * MB);
    let cuts = 0;
    const cutting = await between((asked, answer) => {
      const part = (asked.url ?? '').includes('partNumber=2');
      if (cuts > 0 || !part) return false;
      let read = 0;
      asked.on('data', (chunk: Buffer) => {
        read += chunk.length;
        if (read > 3 * MB && cuts === 0) {
          cuts++;
          answer.destroy();
        }
      });
      return true;
    });
    await (await s3At(cutting)).put('lost/a', pieces(bytes));
    expect(cuts).toBe(1);
    expect((await whole(targets.s3.get('lost/a'))).equals(bytes)).toBe(true);

    await using toxiproxy = await Toxiproxy.start();
    const proxy = await toxiproxy.proxy('s3', s3.address);
    let read = 0;
    const reading = async (): Promise<void> => {
      for await (const chunk of (await s3At(`http://${proxy.address}`)).get('lost/a')) {
        if (read === 0) await proxy.cut();
        read += chunk.length;
      }
    };
    await expect(reading()).rejects.toMatchObject({ type: 'Unreachable', retryable: true });
    expect(read).toBeLessThan(bytes.length);
  }, 120_000);

  test('a store that is slow, and one that is away', async () => {
    await using toxiproxy = await Toxiproxy.start();
    const proxy = await toxiproxy.proxy('s3', s3.address);
    const target = await s3At(`http://${proxy.address}`);
    const bytes = randomBytes(20 * MB);
    await proxy.poison({ type: 'bandwidth', attributes: { rate: 5000 }, stream: 'upstream' });
    await proxy.poison({ type: 'latency', attributes: { latency: 100 } });
    await target.put('slow/a', pieces(bytes));
    expect((await whole(targets.s3.get('slow/a'))).equals(bytes)).toBe(true);
    await proxy.cut();
    await expect(target.put('slow/b', pieces(bytes))).rejects.toMatchObject({ type: 'Unreachable' });
    expect(await targets.s3.list('slow/')).toEqual(['slow/a']);
  }, 120_000);

  test('what was changed on its way is not taken', async () => {
    const bytes = randomBytes(MB);
    let part: Promise<unknown> | undefined;
    const spoiling = await between((asked, answer) => {
      if (!(asked.url ?? '').includes('partNumber=')) return false;
      const { method, url, headers } = asked;
      part = whole(asked as AsyncIterable<Buffer>).then((body) => {
        body[1000] = (body[1000] ?? 0) ^ 1;
        const passed = request(s3.endpoint, { method, path: url, headers }, (from) => {
          answer.writeHead(from.statusCode ?? 500, from.headers);
          from.pipe(answer);
        });
        passed.end(body);
      });
      return true;
    });
    await expect((await s3At(spoiling)).put('spoilt/a', pieces(bytes))).rejects.toMatchObject({ type: 'Unreachable' });
    await part;
    expect(await targets.s3.list('spoilt/')).toEqual([]);
  }, 60_000);
});
