import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, statSync } from 'node:fs';
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { ProcessPlatform } from '../../model/deployment.js';
import { processPlatform } from '../../platforms/process/platform.js';
import type { PlatformNode } from '../../platforms/platform.js';
import { Sandbox, until } from '../../scripts/sandbox/cluster.js';
import { platformContract, refusal, token, type ContractSubject } from './contract.js';

const options: ProcessPlatform = { kind: 'process', servers: {}, startTimeout: 10_000, stopTimeout: 10_000 };

interface ProcessSubject extends ContractSubject {
  node: PlatformNode & { home: string };
  port: number;
}

async function subject(with_: Partial<ProcessPlatform> = {}): Promise<ProcessSubject> {
  const sandbox = await Sandbox.servers(1, { release: '5.0.6' });
  const [it] = sandbox.nodes;
  if (!it) throw new Error('the sandbox has no node');
  const { address, home, port } = it;
  const node = { address, home, configurationFile: join(home, 'redis.conf'), logFile: join(home, 'redis.log') };
  const platform = processPlatform({ ...options, ...with_ });
  return {
    platform,
    node,
    port,
    connect: () => sandbox.connect(it),
    async hang() {
      const { pid } = await platform.inspect(node);
      if (pid === undefined) throw new Error('nothing runs');
      process.kill(pid, 'SIGSTOP');
      await until('it is seen stopped', async () => (await platform.inspect(node)).state === 'hung');
    },
    [Symbol.asyncDispose]: () => sandbox.stop(),
  };
}

platformContract('process', subject);

test('a port that somebody else took in the meantime is not fought for', async () => {
  await using it = await subject();
  const configuration = await it.platform.readConfiguration(it.node);
  await it.platform.stop(it.node, token(1), { terminate: true });
  const intruder = createServer().listen(it.port, '127.0.0.1');
  await until('the port is taken', () => intruder.listening);
  try {
    const message = await refusal(
      it.platform.start(it.node, token(1), { release: '8.0.6', configuration, arguments: [] }),
      'StartFailed',
    );
    expect(message).toContain(`pid ${process.pid}`);
    expect(await it.platform.inspect(it.node)).toMatchObject({ state: 'stopped' });
    expect(await it.platform.readConfiguration(it.node)).toBe(configuration);
  } finally {
    intruder.close();
  }
});

test.runIf(process.platform === 'linux')(
  'a lock on the node’s files that outlives its server is waited for',
  async () => {
    await using it = await subject();
    const configuration = await it.platform.readConfiguration(it.node);
    await it.platform.stop(it.node, token(1), { terminate: true });
    await writeFile(join(it.node.home, 'nodes.conf'), '');
    const holder = spawn('flock', [join(it.node.home, 'nodes.conf'), '-c', 'echo held; read line'], { cwd: '/' });
    await once(holder.stdout, 'data');
    const input = { release: '8.0.6', configuration, arguments: [] };
    try {
      expect(await refusal(it.platform.start(it.node, token(1), input), 'StartFailed')).toContain(
        `${join(it.node.home, 'nodes.conf')} is locked, since pid ${holder.pid ?? 0}`,
      );
      const started = it.platform.start(it.node, token(1), input);
      holder.stdin.end();
      await started;
      expect(await it.platform.inspect(it.node)).toMatchObject({ state: 'running' });
    } finally {
      holder.kill();
    }
  },
);

test('a process that only works in the node’s folder is not taken for the server', async () => {
  await using it = await subject();
  await it.platform.stop(it.node, token(1), { terminate: true });
  const bystander = spawn('sleep', ['60'], { cwd: it.node.home });
  try {
    // A stale pid file that names a live process, as after a reboot.
    await writeFile(join(it.node.home, 'redis.pid'), `${bystander.pid ?? 0}\n`);
    expect(await it.platform.inspect(it.node)).toMatchObject({ state: 'stopped' });
    await it.platform.stop(it.node, token(1), { terminate: true });
    expect(bystander.exitCode ?? bystander.signalCode).toBeNull();
  } finally {
    bystander.kill();
  }
});

test('a worker that died between spawning and taking note: the next attempt finds the server and goes on', async () => {
  await using it = await subject();
  const input = {
    release: '8.0.6',
    configuration: await it.platform.readConfiguration(it.node),
    arguments: [],
  };
  await it.platform.stop(it.node, token(1), { terminate: true });
  const first = await it.platform.start(it.node, token(1), input);
  const record = join(it.node.home, '.rollout', 'started.json');
  const { release, executable } = JSON.parse(await readFile(record, 'utf8')) as Record<string, string>;
  await writeFile(record, JSON.stringify({ release, executable }));
  expect(await it.platform.start(it.node, token(2), input)).toMatchObject({ pid: first.pid, release: '8.0.6' });
});

test('a worker killed between copying and renaming: the label holds what it held, and the rest is swept up', async () => {
  await using it = await subject();
  const { node, platform } = it;
  await writeFile(join(node.home, 'dump.rdb'), 'first');
  await platform.keep(node, token(1), { label: 'snapshot', files: ['dump.rdb'] });
  // What such a worker leaves: a copy of its own, half done, under a pid that is gone; and a finished one not yet named.
  const [staging, unnamed] = ['staging-4194303_1-dead', 'kept-unnamed'].map((name) =>
    join(node.home, '.rollout', name),
  );
  for (const folder of [staging, unnamed]) {
    await mkdir(folder ?? '');
    await writeFile(join(folder ?? '', 'dump.rdb'), 'half');
  }
  await symlink('kept-unnamed', join(node.home, '.rollout', 'kept-unnamed.link'));
  await writeFile(join(node.home, '.rollout', 'lock'), JSON.stringify({ pid: 4194303, started: '1', nonce: 'dead' }));

  await writeFile(join(node.home, 'second.rdb'), 'second');
  await platform.restore(node, token(2), { label: 'snapshot', files: ['dump.rdb'] });
  expect(await readFile(join(node.home, 'dump.rdb'), 'utf8')).toBe('first');
  await platform.keep(node, token(2), { label: 'snapshot', files: ['second.rdb'] });
  expect(await readdir(join(node.home, '.rollout', 'snapshot'))).toEqual(['second.rdb']);
  await platform.drop(node, token(2), { label: 'snapshot' });
  expect(await readdir(join(node.home, '.rollout'))).toEqual([]);
});

test('a folder of append-only files is kept as it was, though the server goes on writing', async () => {
  await using it = await subject();
  const { node, platform } = it;
  const configuration = `${await platform.readConfiguration(node)}\nappendonly yes\nappendfsync always\n`;
  await platform.stop(node, token(1), { terminate: true });
  await platform.start(node, token(1), { release: '8.0.6', configuration, arguments: [] });
  await using connection = await it.connect();
  await connection.call('SET', 'k', 'before');
  await platform.keep(node, token(1), { label: 'aof', files: ['appendonlydir'] });
  await connection.call('SET', 'k', 'after');
  await platform.stop(node, token(1), { terminate: true });
  expect(await platform.restore(node, token(1), { label: 'aof', files: ['appendonlydir'] })).toEqual(['appendonlydir']);
  await platform.start(node, token(1), { release: '8.0.6', configuration, arguments: [] });
  await using now = await it.connect();
  expect(await now.call('GET', 'k')).toBe('before');
});

test('names that lead out of the folder are refused', async () => {
  await using it = await subject();
  for (const file of ['../other/dump.rdb', '/etc/passwd', '.'])
    await refusal(it.platform.keep(it.node, token(1), { label: 'x', files: [file] }), 'BadInput');
  for (const label of ['../x', '', 'lock', 'kept-1'])
    await refusal(it.platform.keep(it.node, token(1), { label, files: ['redis.conf'] }), 'BadInput');
});

test('configuration and output are private, the previous configuration stays beside, no variable of ours is passed on', async () => {
  await using it = await subject();
  const { node, platform } = it;
  const before = await platform.readConfiguration(node);
  await platform.stop(node, token(1), { terminate: true });
  process.env['ROLLOUT_TEST_SECRET'] = 'not-for-servers';
  const started = await platform
    .start(node, token(1), {
      release: '8.0.6',
      configuration: `${before}\ndaemonize yes\nrequirepass hush-hush\n`,
      arguments: ['--maxmemory', '64mb'],
    })
    .finally(() => delete process.env['ROLLOUT_TEST_SECRET']);
  expect(statSync(node.configurationFile).mode & 0o777).toBe(0o600);
  expect(statSync(join(node.home, 'stdout.log')).mode & 0o077 & 0o033).toBe(0);
  expect(await readFile(`${node.configurationFile}.previous`, 'utf8')).toBe(before);
  expect((await platform.inspect(node)).pid).toBe(started.pid);
  if (existsSync('/proc'))
    expect(await readFile(`/proc/${started.pid ?? 0}/environ`, 'latin1')).not.toContain('not-for-servers');
});

test('a server that does not listen in time is killed, not left behind', async () => {
  // The real server, held back before it starts.
  await using it = await subject();
  const slow = join(it.node.home, 'slow-server');
  await writeFile(slow, '#!/bin/sh\nsleep 60\n', { mode: 0o755 });
  const impatient = processPlatform({ ...options, servers: { '9.9.9': slow }, startTimeout: 300 });
  const configuration = await impatient.readConfiguration(it.node);
  await impatient.stop(it.node, token(1), { terminate: true });
  const input = { release: '9.9.9', configuration, arguments: [] };
  expect(await refusal(impatient.start(it.node, token(1), input), 'StartFailed')).toContain(
    'does not listen after 0.3 s',
  );
  expect(await impatient.inspect(it.node)).toMatchObject({ state: 'stopped' });
});

test('a server that won’t end is killed at the deadline', async () => {
  await using it = await subject({ stopTimeout: 300 });
  const before = await it.platform.inspect(it.node);
  // Nobody sent SHUTDOWN, and `terminate` is off: it has no reason to end by itself.
  await it.platform.stop(it.node, token(1), { terminate: false });
  expect(before.state).toBe('running');
  expect(await it.platform.inspect(it.node)).toMatchObject({ state: 'stopped' });
});

test('of a server that crashed the log ends with why, until it is started again', async () => {
  await using it = await subject();
  const configuration = await it.platform.readConfiguration(it.node);
  const { pid } = await it.platform.inspect(it.node);
  process.kill(pid ?? 0, 'SIGSEGV');
  await until('it has ended', async () => (await it.platform.inspect(it.node)).state === 'stopped');
  expect(await it.platform.log(it.node, { lines: 8 })).toMatch(/ 5\.0\.6 crashed by signal: 11\b/);

  await it.platform.start(it.node, token(1), { release: '8.0.6', configuration, arguments: [] });
  await it.platform.stop(it.node, token(1), { terminate: true });
  expect(await it.platform.log(it.node, { lines: 1 })).toContain('bye bye');
});

test('a server that refuses to end while it writes its first append-only file is asked again, not killed', async () => {
  await using it = await subject();
  await using connection = await it.connect();
  await connection.pipeline([
    ['CONFIG', 'SET', 'appendonly', 'yes'],
    ['SET', 'k', 'v'],
  ]);
  await it.platform.stop(it.node, token(1), { terminate: true });
  expect(await it.platform.log(it.node, { lines: 1 })).toContain('bye bye');
});

test('what a worker that died left half written goes with the next one who writes there', async () => {
  await using it = await subject();
  const note = { name: 'note', text: 'whole' };
  await it.platform.remember(it.node, token(1), note);
  const folder = join(it.node.home, '.rollout', 'documents');
  await writeFile(join(folder, 'note.new'), 'ha');
  await it.platform.remember(it.node, token(2), note);
  expect(await readdir(folder)).toEqual(['note']);
  expect(await it.platform.recall(it.node, { name: 'note' })).toBe('whole');
});
