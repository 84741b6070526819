import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { carryOver, compareConfiguration } from '../../../model/configuration.js';
import { atLeast } from '../../../model/release.js';
import { processPlatform } from '../../../platforms/process/platform.js';
import { readConfiguration } from '../../../redis/configuration.js';
import { connect, type Endpoint, type NodeConnection } from '../../../redis/connection.js';
import { selfSigned, type Certificate } from '../../../scripts/sandbox/certificate.js';
import { Sandbox, until } from '../../../scripts/sandbox/cluster.js';

const password = 'a "quoted" # secret';
const configCommand = 'config-by-another-name';
const platform = processPlatform({ kind: 'process', servers: {}, startTimeout: 15_000, stopTimeout: 15_000 });
const token = { epoch: 1, holder: 'test' };

let folder = '';
let tls: Certificate;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'redis-rollout-tls-'));
  tls = selfSigned(folder);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const unusual = [
  `requirepass "a \\"quoted\\" # secret"`,
  'masterauth from-the-file',
  `rename-command CONFIG ${configCommand}`,
  'rename-command FLUSHALL ""',
  'cluster-enabled yes',
  'cluster-node-timeout 4321',
  'cluster-slave-validity-factor 3',
  'cluster-require-full-coverage no',
  'cluster-announce-ip 127.0.0.1',
  'save 900 1',
  'save 300 10',
  'client-output-buffer-limit slave 512mb 128mb 30',
  'client-output-buffer-limit pubsub 8mb 4mb 20',
  'notify-keyspace-events KEg$',
  'maxmemory 100mb',
  'slave-serve-stale-data no',
  'hash-max-ziplist-entries 77',
  'list-max-ziplist-size -3',
  'lua-time-limit 3210',
  'slowlog-log-slower-than 777',
  'appendonly yes',
  'appendfilename "a file.aof"',
  'tcp-backlog 99',
  'hz 33',
  'maxclients 321',
];

const atRuntime: [string, string][] = [
  ['maxmemory', '123456789'],
  ['maxmemory-policy', 'allkeys-lfu'],
  ['maxmemory-samples', '7'],
  ['slave-priority', '42'],
  ['min-slaves-max-lag', '17'],
  ['masterauth', 'set at "runtime"'],
  ['save', '120 3 60 4'],
  ['client-output-buffer-limit', 'normal 64000000 32000000 11'],
  ['notify-keyspace-events', 'AKE'],
  ['list-compress-depth', '2'],
  ['repl-backlog-size', '3000000'],
  ['repl-diskless-sync', 'yes'],
  ['activerehashing', 'no'],
  ['lazyfree-lazy-eviction', 'yes'],
  ['zset-max-ziplist-value', '99'],
  ['stop-writes-on-bgsave-error', 'no'],
  ['appendfsync', 'always'],
  ['slowlog-max-len', '77'],
  ['timeout', '987'],
  // Back to the default, against what the file says.
  ['hz', '10'],
];

async function makeUsers(connection: NodeConnection, release: string): Promise<void> {
  if (!atLeast(release, 6, 0)) return;
  const channels = atLeast(release, 6, 2) ? ['resetchannels', '&news:*'] : [];
  const users = [
    ['reader', 'on', '>reader', '~app:*', ...channels, '-@all', '+ping', '+get', '+mget', '+publish'],
    ['operator', 'on', '>operator', '>second', '~*', '+@all', '-@dangerous', '+info'],
    ['clerk', 'on', '>clerk', '~*', '+@all', '-@admin'],
    ['gone', 'off', 'nopass', '~*', '+@all'],
    ...(atLeast(release, 7, 0)
      ? [['selective', 'on', 'nopass', '%R~ro:*', '+ping', '+get', '+set', '(~rw:* +@write)']]
      : []),
  ];
  for (const user of users) await connection.call('ACL', 'SETUSER', ...user);
}

const attempts: [user: string, command: string[]][] = [
  ['reader', ['GET', 'app:1']],
  ['reader', ['GET', 'other']],
  ['reader', ['SET', 'app:1', 'x']],
  ['reader', ['PUBLISH', 'news:1', 'x']],
  ['reader', ['PUBLISH', 'other', 'x']],
  ['operator', ['SET', 'k', 'v']],
  ['operator', ['INFO']],
  ['operator', ['KEYS', '*']],
  ['operator', ['PUBLISH', 'other', 'x']],
  ['operator', ['CLIENT', 'ID']],
  ['operator', ['ROLE']],
  ['clerk', ['CLIENT', 'ID']],
  ['clerk', ['ROLE']],
  ['clerk', ['CLIENT', 'KILL', 'ID', '99999']],
  ['selective', ['GET', 'ro:1']],
  ['selective', ['SET', 'ro:1', 'x']],
  ['selective', ['SET', 'rw:1', 'x']],
];

/** What each user is allowed; a refusal of another kind (no slots here) comes after the permission. */
async function permissions(endpoint: Endpoint): Promise<string[]> {
  const answers: string[] = [];
  for (const [username, [command = '', ...args]] of attempts)
    answers.push(
      `${username} ${command} ${args[0] ?? ''}: ${await attempt({ ...endpoint, username, password: username }, command, args)}`,
    );
  return answers;
}

async function attempt(endpoint: Endpoint, command: string, args: string[]): Promise<string> {
  const connection = await connect(endpoint).catch((error: unknown) => (error as Error).message);
  if (typeof connection === 'string') return connection.replace(/^.*?:\d+ /, '');
  try {
    await connection.call(command, ...args);
    return 'allowed';
  } catch (error) {
    return (error as Error).message.startsWith('NOPERM') ? 'refused' : 'allowed';
  } finally {
    connection.close();
  }
}

test.each([
  { from: '5.0.6', to: '8.0.6' },
  { from: '5.0.6', to: '7.0.15' },
  { from: '5.0.6', to: 'valkey-9.1.2' },
  { from: '6.0.16', to: '7.0.15', secure: true },
  { from: '6.2.14', to: '8.2.3' },
  { from: '7.0.15', to: '7.4.1', secure: true },
  { from: '7.2.4', to: 'valkey-9.1.2', secure: true },
  { from: '8.0.6', to: '8.2.3' },
])('$from → $to runs as it ran, whatever its file said', async ({ from, to, secure = false }) => {
  const commands = { CONFIG: configCommand };
  await using sandbox = await Sandbox.servers(1, {
    release: from,
    configuration: [
      ...unusual,
      ...(secure ? [...tls.lines, 'tls-auth-clients no', 'tls-cluster yes', 'tls-protocols "TLSv1.2 TLSv1.3"'] : []),
      ...(atLeast(from, 6, 0) ? ['user filed on nopass ~f:* -@all +@read'] : []),
    ],
    endpoint: { password, commands, ...(secure ? { tls: tls.trust } : {}) },
  });
  const [it] = sandbox.nodes;
  if (!it) throw new Error('the sandbox has no node');
  const node = { ...it, configurationFile: join(it.home, 'redis.conf'), logFile: join(it.home, 'redis.log') };
  const before = await sandbox.connect();
  for (const [name, value] of atRuntime) await before.call('CONFIG', 'SET', name, value);
  await makeUsers(before, from);
  const old = await readConfiguration(before);
  const allowed = atLeast(from, 6, 0) ? await permissions(sandbox.endpoint()) : [];
  await until('the append-only file is at rest', async () =>
    String(await before.call('INFO', 'persistence')).includes('aof_rewrite_in_progress:0'),
  );
  before.close();

  const carried = carryOver({ file: await platform.readConfiguration(node), ...old, from, to });
  await platform.stop(node, token, { terminate: true });
  await platform.start(node, token, { release: to, configuration: carried.file, arguments: [] });
  await until('it serves', async () => {
    await using connection = await sandbox.connect();
    return (await connection.call('PING')) === 'PONG';
  });
  await using after = await sandbox.connect();
  const now = await readConfiguration(after);
  const rows = compareConfiguration({
    node: node.address,
    before: old.running,
    after: now.running,
    aclBefore: old.acl,
    aclAfter: now.acl,
    from,
    to,
  });
  expect(rows.filter((row) => row.kind === 'changed')).toEqual([]);
  if (atLeast(from, 6, 0)) {
    expect(allowed).toEqual(expect.arrayContaining(['reader GET app:1: allowed', 'reader GET other: refused']));
    expect(await permissions(sandbox.endpoint())).toEqual(allowed);
  }
  await expect(after.call('FLUSHALL')).rejects.toThrow(/unknown command/i);
  expect(String(await after.call('CLUSTER', 'INFO'))).toContain('cluster_state');
  expect(JSON.stringify([rows, carried.differences, carried.notes])).not.toMatch(
    /quoted|from-the-file|set at|another-name/,
  );
});

test('users who were never saved to the ACL file are there afterwards', async () => {
  const users = join(folder, 'users.acl');
  await writeFile(users, 'user default on nopass ~* +@all\nuser saved on nopass ~s:* +get\n');
  await using sandbox = await Sandbox.servers(1, { release: '6.0.16', configuration: [`aclfile "${users}"`] });
  const [it] = sandbox.nodes;
  if (!it) throw new Error('the sandbox has no node');
  const node = { ...it, configurationFile: join(it.home, 'redis.conf'), logFile: join(it.home, 'redis.log') };
  const before = await sandbox.connect();
  await before.call('ACL', 'SETUSER', 'unsaved', 'on', '>pw', '~u:*', '+get', '+publish');
  const old = await readConfiguration(before);
  before.close();
  const carried = carryOver({
    file: await platform.readConfiguration(node),
    ...old,
    from: '6.0.16',
    to: '7.0.15',
  });
  await platform.stop(node, token, { terminate: true });
  await writeFile(users, carried.aclFile ?? '');
  await platform.start(node, token, { release: '7.0.15', configuration: carried.file, arguments: [] });
  await using after = await sandbox.connect();
  const now = await readConfiguration(after);
  expect(now.acl).toHaveLength(3);
  const rows = compareConfiguration({
    node: node.address,
    before: old.running,
    after: now.running,
    aclBefore: old.acl,
    aclAfter: now.acl,
    from: '6.0.16',
    to: '7.0.15',
  });
  expect(rows.filter((row) => row.kind === 'changed')).toEqual([]);
});
