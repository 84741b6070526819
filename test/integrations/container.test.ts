// A container that runs on after its time, that is told more than it may know, or that is said to have passed and never ran.
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { runContainer, type OwnContainer } from '../../integrations/container.js';
import { engineForTests, IMAGE, makeImage } from './container-image.js';

const run = promisify(execFile);
const name = `redis-rollout-test-${process.pid}`;
let engine: string;
let folder: string;
beforeAll(async () => {
  const found = await engineForTests();
  ({ engine } = found);
  folder = await mkdtemp(join(tmpdir(), 'redis-rollout-container-'));
  // A client whose engine isn't there comes first, as on many a machine.
  await writeFile(join(folder, 'docker'), '#!/bin/sh\necho "Cannot connect to the Docker daemon" >&2\nexit 1\n');
  await chmod(join(folder, 'docker'), 0o755);
  if (engine.endsWith('podman')) vi.stubEnv('PATH', `${folder}:${found.path}`);
  else vi.stubEnv('PATH', found.path);
  vi.stubEnv('OF_THE_WORKER', 'not for containers');
  await makeImage(engine);
}, 120_000);
afterAll(async () => {
  await run(engine, ['rm', '-f', name]).catch(() => undefined);
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

const inside = (script: string, more: Partial<OwnContainer> = {}) =>
  runContainer({
    ...{ name, image: IMAGE, command: ['bash', '-c', script], timeout: 60_000 },
    ...{ environment: {}, signal: new AbortController().signal },
    ...more,
  });
const there = async (): Promise<boolean> =>
  (await run(engine, ['ps', '-a', '--format', '{{.Names}}'])).stdout.split('\n').includes(name);

test('it reaches a server of this machine, with what it is told and nothing else of the worker', async () => {
  const server = createServer((socket) => socket.end('here\n')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const environment = { REDIS_HOST: '127.0.0.1', REDIS_PORT: String(port), REDIS_PASSWORD: 'se cret"' };
  const script = `
    exec 3<>/dev/tcp/$REDIS_HOST/$REDIS_PORT && read -r answer <&3
    [[ -z $OF_THE_WORKER && $REDIS_PASSWORD == 'se cret"' ]] && echo "the server is $answer, of $REDIS_PASSWORD"`;
  const ended = await inside(script, { environment, secrets: ['se cret"'] });
  expect(ended).toMatchObject({ said: 'the server is here, of …' });
  expect(ended.problem).toBeUndefined();
  expect(await there()).toBe(false);
  server.close();
}, 120_000);

test('its exit code is what the check comes to', async () => {
  expect(await inside('echo no basket >&2; exit 3')).toMatchObject({ problem: 'exit code 3', said: 'no basket' });
  expect(await there()).toBe(false);
}, 120_000);

test('an image that is not there is a failure that says so, and no pass', async () => {
  const ended = await inside('true', { image: 'localhost:1/redis-rollout-none:1' });
  expect(ended).toMatchObject({ problem: 'exit code 125', said: expect.stringMatching(/none:1/) as string });
}, 120_000);

test('what takes longer than it may is gone, and so is what is no longer wanted', async () => {
  const forEver = 'trap "" TERM; while true; do read -t 1 <> <(:); done';
  expect(await inside(forEver, { timeout: 3000 })).toMatchObject({ problem: 'not done within 3.0 s' });
  expect(await there()).toBe(false);
  const stop = new AbortController();
  const running = inside(forEver, { signal: stop.signal });
  await vi.waitFor(async () => expect(await there()).toBe(true), { timeout: 30_000, interval: 200 });
  stop.abort(new Error('no longer wanted'));
  await expect(running).rejects.toThrow('no longer wanted');
  expect(await there()).toBe(false);
}, 120_000);

test('what a worker left that died is taken away, and not in the way', async () => {
  await run(engine, ['run', '-d', '--name', name, '--network=host', IMAGE, 'bash', '-c', 'read -t 300 <> <(:)']);
  expect(await there()).toBe(true);
  expect(await inside('echo anew')).toMatchObject({ said: 'anew' });
  expect(await there()).toBe(false);
}, 120_000);

test('without an engine it fails, and names what was asked', async () => {
  const path = process.env['PATH'] ?? '';
  vi.stubEnv('PATH', folder);
  const ended = await inside('true');
  vi.stubEnv('PATH', path);
  expect(ended.problem).toBe(
    'no container engine answers on this worker (docker: Cannot connect to the Docker daemon; podman: not installed): run the check as a command, or start one of them',
  );
});
