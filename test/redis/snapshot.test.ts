/** A backup that could not be had, or that would have been believed although it was worth nothing. */
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { findServers } from '../../platforms/process/servers.js';
import type { Endpoint } from '../../redis/connection.js';
import { parseInfo } from '../../redis/info.js';
import { checkSnapshot, pullSnapshot } from '../../redis/snapshot.js';
import { selfSigned } from '../../scripts/sandbox/certificate.js';
import { Sandbox, supportsTls, until } from '../../scripts/sandbox/cluster.js';
import { populate } from './rdb/dataset.js';

const run = promisify(execFile);
const releases = [...(await findServers()).keys()];
const has = (release: string): boolean => releases.includes(release);

test.each(releases)(
  '%s: a snapshot is whole, counted, hashed, private and loaded again by the server',
  async (release) => {
    await using sandbox = await Sandbox.servers(1, { release });
    await using node = await sandbox.connect();
    const written = await populate(node, release);
    const folder = join(sandbox.root, 'again');
    await mkdir(folder);
    const file = join(folder, 'dump.rdb');
    const progress: number[] = [];
    const snapshot = await pullSnapshot({
      from: sandbox.endpoint(),
      file,
      onProgress: (it) => progress.push(it.bytes),
    });

    const bytes = await readFile(file);
    expect(snapshot).toMatchObject({
      file,
      bytes: bytes.length,
      sha256: createHash('sha256').update(bytes).digest('hex'),
      keys: Object.values(written.databases).reduce((a, b) => a + b),
      summary: { byType: written.byType, expires: written.expires, checksum: 'verified', functions: written.functions },
    });
    expect(snapshot.summary.hashesWithFieldExpiry).toBe(written.hashesWithFieldExpiry);
    expect(progress.at(-1)).toBe(bytes.length);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readdir(folder)).toEqual(['dump.rdb']);
    expect(await checkSnapshot(file, snapshot)).toMatchObject({ sha256: snapshot.sha256, offset: snapshot.offset });

    await using other = await Sandbox.servers(1, { release, configuration: [`dir "${folder}"`] });
    await using again = await other.connect();
    for (const [database, keys] of Object.entries(written.databases)) {
      await again.call('SELECT', database);
      expect(await again.call('DBSIZE')).toBe(keys);
    }
  },
);

test('a replica is a source: the position is its primary’s', async () => {
  await using sandbox = await Sandbox.cluster({ release: '5.0.6', primaries: 3, replicasEach: 1 });
  const [primary, replica] = [sandbox.nodes[0], sandbox.nodes[3]];
  await using node = await sandbox.connect(primary);
  await using follower = await sandbox.connect(replica);
  const slots = Array.from({ length: 2000 }, (_, i) => `key:${i}`);
  let kept = 0;
  for (const key of slots) kept += (await node.call('SET', key, 'value').catch(() => 0)) === 'OK' ? 1 : 0;
  await until('the replica has all', async () => (await follower.call('DBSIZE')) === kept);
  const snapshot = await pullSnapshot({ from: sandbox.endpoint(replica), file: join(sandbox.root, 'replica.rdb') });
  const info = parseInfo(String(await node.call('INFO', 'replication')));
  expect(snapshot).toMatchObject({ keys: kept, replid: info['master_replid'] });
  expect(snapshot.offset).toBeLessThanOrEqual(Number(info['master_repl_offset']));
  expect(snapshot.offset).toBeGreaterThan(0);
});

test.each(['5.0.6', '8.0.6', 'valkey-9.1.2'].filter(has))(
  '%s: writes, deletions and expiry go on meanwhile',
  async (release) => {
    await using sandbox = await Sandbox.servers(1, { release });
    await using node = await sandbox.connect();
    for (let from = 0; from < 20_000; from += 5000)
      await node.pipeline(Array.from({ length: 5000 }, (_, i) => ['SET', `key:${from + i}`, 'x'.repeat(200)]));
    const controller = new AbortController();
    const writer = (async () => {
      for (let i = 0; !controller.signal.aborted; i++)
        await node.pipeline([
          ['SET', `new:${i}`, '1'],
          ['SET', `short:${i}`, '1', 'PX', 5],
          ['DEL', `key:${i}`],
        ]);
    })();
    const snapshots = [];
    try {
      for (let i = 0; i < 3; i++)
        snapshots.push(await pullSnapshot({ from: sandbox.endpoint(), file: join(sandbox.root, `${i}.rdb`) }));
    } finally {
      controller.abort();
      await writer;
    }
    expect(snapshots[2]?.offset).toBeGreaterThan(snapshots[0]?.offset ?? Infinity);
  },
);

const secret = 'a secret';
const withPassword: [string, string[], Endpoint][] = releases
  .filter((it) => ['5.0.6', '6.0.16', '8.2.3'].includes(it))
  .map((it) => [it, [`requirepass "${secret}"`], { host: '', port: 0, password: secret }]);
const acl = 'user backup on >"a secret" +psync +replconf +ping +info';
const withUser: [string, string[], Endpoint][] = releases
  .filter((it) => ['6.0.16', '7.0.15', '8.0.6', 'valkey-9.1.2'].includes(it))
  .map((it) => [
    it,
    [acl.replace('>"a secret"', `#${createHash('sha256').update(secret).digest('hex')}`)],
    { host: '', port: 0, username: 'backup', password: secret },
  ]);

test.each([...withPassword, ...withUser])('%s with %j', async (release, configuration, endpoint) => {
  await using sandbox = await Sandbox.servers(1, { release, configuration, endpoint });
  const from = sandbox.endpoint();
  const file = join(sandbox.root, 'x.rdb');
  expect((await pullSnapshot({ from, file })).keys).toBe(0);
  await expect(pullSnapshot({ from: { ...from, password: 'wrong' }, file })).rejects.toMatchObject({
    type: 'Unauthorized',
  });
});

test('a user without PSYNC is told what it lacks', async () => {
  await using sandbox = await Sandbox.servers(1, {
    release: '7.0.15',
    configuration: ['user weak on nopass +info +ping +replconf'],
  });
  const from = { ...sandbox.endpoint(), username: 'weak', password: 'any' };
  await expect(pullSnapshot({ from, file: join(sandbox.root, 'x.rdb') })).rejects.toMatchObject({
    type: 'MissingPermission',
    message: expect.stringContaining("user 'weak' may not run PSYNC") as string,
  });
  expect(await readdir(sandbox.root)).not.toContain('x.rdb.partial');
});

test.each(['5.0.6', '8.2.3'].filter(has))('%s: renamed commands are sent by their new names', async (release) => {
  const commands = { REPLCONF: 'configure-replica', INFO: 'tell' };
  await using sandbox = await Sandbox.servers(1, {
    release,
    configuration: Object.entries(commands).map(([from, to]) => `rename-command ${from} ${to}`),
    endpoint: { commands },
  });
  const file = join(sandbox.root, 'x.rdb');
  expect((await pullSnapshot({ from: sandbox.endpoint(), file })).keys).toBe(0);
  const unnamed = { ...sandbox.endpoint(), commands: { INFO: 'tell' } };
  await expect(pullSnapshot({ from: unnamed, file })).rejects.toMatchObject({
    type: 'MissingPermission',
    message: expect.stringContaining('knows no REPLCONF') as string,
  });
});

test('a renamed PSYNC is refused with the reason: the server takes it for SYNC', async () => {
  await using sandbox = await Sandbox.servers(1, {
    release: '5.0.6',
    configuration: ['rename-command PSYNC synchronize'],
    endpoint: { commands: { PSYNC: 'synchronize' } },
  });
  await expect(pullSnapshot({ from: sandbox.endpoint(), file: join(sandbox.root, 'x.rdb') })).rejects.toMatchObject({
    type: 'MissingPermission',
    message: expect.stringContaining('PSYNC is renamed') as string,
  });
});

test.each(['6.0.16', '7.0.15', '8.0.6', 'valkey-9.1.2'].filter(has).filter(supportsTls))(
  '%s over TLS',
  async (release) => {
    await using scratch = await Sandbox.servers(0, { release });
    const { key, cert, lines } = selfSigned(scratch.root);
    const tls = { ca: await readFile(cert), cert: await readFile(cert), key: await readFile(key), verify: true };
    await using sandbox = await Sandbox.servers(1, {
      release,
      configuration: lines,
      endpoint: { tls },
    });
    await using node = await sandbox.connect();
    await node.call('SET', 'big', Buffer.alloc(2 << 20, 'x'));
    const file = join(sandbox.root, 'x.rdb');
    expect((await pullSnapshot({ from: sandbox.endpoint(), file })).keys).toBe(1);
    const stranger = { ...sandbox.endpoint(), tls: { cert: tls.cert, key: tls.key, verify: true } };
    await expect(pullSnapshot({ from: stranger, file })).rejects.toMatchObject({ type: 'Unreachable' });
  },
);

test.each(['5.0.6', '8.0.6'].filter(has))('%s dies in the middle: a typed failure, and no litter', async (release) => {
  await using sandbox = await Sandbox.servers(1, { release });
  const [server] = sandbox.nodes;
  if (!server) throw new Error('one node');
  await using node = await sandbox.connect();
  for (let i = 0; i < 30; i++) await node.call('SET', `key ${i}`, Buffer.alloc(2 << 20, String(i)));
  const folder = join(sandbox.root, 'backups');
  await mkdir(folder);
  let killed: Promise<void> | undefined;
  const pulling = pullSnapshot({
    from: sandbox.endpoint(),
    file: join(folder, 'x.rdb'),
    onProgress: () => void (killed ??= sandbox.kill(server)),
  });
  await expect(pulling).rejects.toMatchObject({ type: expect.stringMatching(/Unreachable|BackupFailed/) as string });
  await killed;
  expect(await readdir(folder)).toEqual([]);
});

test('what a killed process has left is replaced, and an older backup stays until the new one is whole', async () => {
  await using sandbox = await Sandbox.servers(1, { release: '7.0.15' });
  const folder = join(sandbox.root, 'backups');
  await mkdir(folder);
  const file = join(folder, 'x.rdb');
  await writeFile(file, 'the backup of yesterday');
  await writeFile(`${file}.partial`, 'half of something');
  await expect(
    pullSnapshot({
      from: sandbox.endpoint(),
      file,
      onProgress: () => {
        throw new Error('the lease is lost');
      },
    }),
  ).rejects.toThrow('the lease is lost');
  expect(await readFile(file, 'utf8')).toBe('the backup of yesterday');
  await pullSnapshot({ from: sandbox.endpoint(), file });
  expect(await readdir(folder)).toEqual(['x.rdb']);
  await checkSnapshot(file);
});

test('a disk that takes no more is a failed backup', async () => {
  await using sandbox = await Sandbox.servers(1, { release: '8.0' });
  await using node = await sandbox.connect();
  await node.call('SET', 'big', randomBytes(4 << 20));
  const folder = join(sandbox.root, 'backups');
  await mkdir(folder);
  const script = `
    import { pullSnapshot } from ${JSON.stringify(join(import.meta.dirname, '../../redis/snapshot.ts'))};
    try { await pullSnapshot(${JSON.stringify({ from: sandbox.endpoint(), file: join(folder, 'x.rdb') })}); }
    catch (error) { console.log(error.type, error.message); }`;
  const program = join(sandbox.root, 'pull.mts');
  await writeFile(program, script);
  // The limit of the file size stands in for the disk's: the write fails in the middle, with EFBIG.
  const limited = 'trap "" XFSZ; ulimit -f 1024; exec "$0" --import tsx "$1"';
  const { stdout } = await run('bash', ['-c', limited, process.execPath, program], {
    cwd: join(import.meta.dirname, '../..'),
  });
  expect(stdout).toMatch(/^BackupFailed .*x\.rdb can't be written: EFBIG/);
  expect(await readdir(folder)).toEqual([]);
});

test('a folder that is not there is a failed backup, before the server is asked', async () => {
  await using sandbox = await Sandbox.servers(1, { release: '5.0.6' });
  const file = join(sandbox.root, 'nowhere', 'x.rdb');
  await expect(pullSnapshot({ from: sandbox.endpoint(), file })).rejects.toMatchObject({
    type: 'BackupFailed',
    message: expect.stringContaining("can't be written: ENOENT") as string,
  });
  await using node = await sandbox.connect();
  expect(parseInfo(String(await node.call('INFO', 'stats')))['sync_full']).toBe('0');
});

test('a dump of another history, or too early, is not taken for a swap', async () => {
  await using sandbox = await Sandbox.servers(1, { release: '6.2' });
  await using node = await sandbox.connect();
  const dump = join(sandbox.nodes[0]?.home ?? '', 'dump.rdb');
  await node.call('SAVE');
  const id = '0'.repeat(40);
  await expect(checkSnapshot(dump, { replid: id })).rejects.toThrow(/no replication id and offset/);
  const pulled = await pullSnapshot({ from: sandbox.endpoint(), file: join(sandbox.root, 'x.rdb') });
  await node.call('SET', 'key', 'value');
  await node.call('SAVE');
  const { replid, offset = 0 } = await checkSnapshot(dump, { replid: pulled.replid, minOffset: pulled.offset + 1 });
  expect(replid).toBe(pulled.replid);
  await expect(checkSnapshot(dump, { replid: id })).rejects.toMatchObject({ type: 'BackupFailed' });
  await expect(checkSnapshot(dump, { replid: pulled.replid, minOffset: offset + 1 })).rejects.toThrow(
    /expected at least/,
  );
  await expect(checkSnapshot(dump, { replid: pulled.replid, offset: offset - 1 })).rejects.toThrow(/stands at offset/);
  await expect(checkSnapshot(join(sandbox.root, 'none.rdb'))).rejects.toMatchObject({ type: 'BackupFailed' });
});
