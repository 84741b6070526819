import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, cp, mkdir, mkdtemp, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
const bootstrap = join(root, 'scripts', 'bootstrap.mjs');
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rollout-bootstrap-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('arguments, output and exit code pass through, from whatever folder it is called', async () => {
  const script = await write(
    'say.ts',
    'console.log(JSON.stringify(process.argv.slice(2))); process.exitCode = 7 as number;',
  );
  const { code, out } = await ended(launch(bootstrap, [script, 'a b', '--json'], folder));
  expect({ code, out }).toEqual({ code: 7, out: '["a b","--json"]\n' });
});

test('a signal reaches the script, which may tidy up and choose its own exit code', async () => {
  const script = await write(
    'wait.ts',
    "process.on('SIGTERM', () => { console.log('tidied'); process.exit(3); }); setInterval(() => {}, 1000); console.log('up');",
  );
  const child = launch(bootstrap, [script], folder);
  const end = ended(child, (text) => text.includes('up') && child.kill('SIGTERM'));
  expect(await end).toMatchObject({ code: 3, out: 'up\ntidied\n' });
});

test('a script that a signal kills gives 128 + its number, as in a shell', async () => {
  const script = await write('die.ts', "process.kill(process.pid, 'SIGKILL'); setInterval(() => {}, 1000);");
  expect((await ended(launch(bootstrap, [script], folder))).code).toBe(137);
});

test('a fresh checkout installs first, on standard error; a second run does not; a new time of the lock file alone neither', async () => {
  const project = await checkout();
  const script = join(project, 'scripts', 'hello.ts');
  await writeFile(script, "const text: string = 'hello'; console.log(text);\n");
  const start = (): Promise<Ended> =>
    ended(launch(join(project, 'scripts', 'bootstrap.mjs'), ['scripts/hello.ts'], folder));

  const first = await start();
  expect(first.code, first.err).toBe(0);
  expect(first.out).toBe('hello\n');
  expect(first.err).toContain('node_modules is missing: running npm ci');

  const installed = join(project, 'node_modules', '.package-lock.json');
  const { mtimeMs, ino } = await stat(installed);
  expect((await start()).err).not.toContain('npm ci');
  expect((await stat(installed)).mtimeMs).toBe(mtimeMs);

  const lock = join(project, 'package-lock.json');
  await utimes(lock, new Date(), new Date(Date.now() + 1000));
  const touched = await start();
  expect(touched.err).not.toContain('npm ci');
  expect((await stat(installed)).ino, 'nothing was installed again').toBe(ino);

  await writeFile(lock, (await readFile(lock, 'utf8')).replace(/"integrity": "sha512-./, '"integrity": "sha512-_'));
  await utimes(lock, new Date(), new Date(Date.now() + 5000));
  const changed = await start();
  expect(changed.err).toContain('package-lock.json is newer than node_modules: running npm ci');
  expect(changed.code, 'an integrity that does not match is refused by npm').toBe(1);
  expect(changed.err).toContain('npm ci failed in');
});

/** A project with the real bootstrap, and of our dependencies only tsx, at the version that our lock file has. */
async function checkout(): Promise<string> {
  const project = join(folder, 'checkout');
  await mkdir(join(project, 'scripts'), { recursive: true });
  await copyFile(bootstrap, join(project, 'scripts', 'bootstrap.mjs'));
  await cp(join(root, 'launch'), join(project, 'launch'), { recursive: true });
  const lock = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, Package>;
  };
  const closure = new Set<string>();
  const add = (name: string): void => {
    const it = lock.packages[`node_modules/${name}`];
    if (it === undefined || closure.has(name)) return;
    closure.add(name);
    Object.keys({ ...it.dependencies, ...it.optionalDependencies }).forEach(add);
  };
  add('tsx');
  const own = { name: 'checkout', version: '1.0.0', dependencies: { tsx: lock.packages['node_modules/tsx']?.version } };
  const packages = Object.fromEntries(
    [...closure].map((name) => [`node_modules/${name}`, lock.packages[`node_modules/${name}`]]),
  );
  await writeFile(join(project, 'package.json'), JSON.stringify({ ...own, type: 'module' }));
  await writeFile(
    join(project, 'package-lock.json'),
    JSON.stringify({ ...own, lockfileVersion: 3, packages: { '': own, ...packages } }, null, 2),
  );
  return project;
}

interface Package {
  version: string;
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
}

async function write(name: string, text: string): Promise<string> {
  await writeFile(join(folder, name), text);
  return join(folder, name);
}

const launch = (program: string, args: readonly string[], cwd: string): ChildProcess =>
  spawn(process.execPath, [program, ...args], {
    cwd,
    env: { ...process.env, ROLLOUT_CACHE: join(folder, 'cache') },
    stdio: ['ignore', 'pipe', 'pipe'],
  });

interface Ended {
  code: number | null;
  out: string;
  err: string;
}

async function ended(child: ChildProcess, onOutput: (text: string) => unknown = () => undefined): Promise<Ended> {
  let [out, err] = ['', ''];
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    out += text;
    onOutput(text);
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (err += text));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, out, err };
}
