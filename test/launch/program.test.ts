import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
let project: string;
let cache: string;

/** A project with the real launch/ and dependencies, and scripts of its own. */
beforeEach(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'rollout-launch-'));
  [project, cache] = [join(folder, 'project'), join(folder, 'cache')];
  await mkdir(join(project, 'scripts'), { recursive: true });
  await cp(join(root, 'launch'), join(project, 'launch'), { recursive: true });
  await cp(join(root, 'scripts/bootstrap.mjs'), join(project, 'scripts/bootstrap.mjs'));
  for (const name of ['package.json', 'package-lock.json']) await cp(join(root, name), join(project, name));
  await symlink(join(root, 'node_modules'), join(project, 'node_modules'));
});
afterEach(() => rm(resolve(project, '..'), { recursive: true, force: true }));

test('what is edited takes effect at the next start, and only then is anything bundled again', async () => {
  await write('model/word.ts', "export const word: string = 'before';");
  await write('scripts/say.ts', "import { word } from '../model/word.js'; console.log(word);");
  expect(await run('say')).toMatchObject({ code: 0, out: 'before\n', err: '' });
  expect(await run('say')).toMatchObject({ out: 'before\n' });
  expect(await bundles()).toHaveLength(1);
  await write('model/word.ts', "export const word: string = 'after';");
  expect(await run('say')).toMatchObject({ out: 'after\n' });
  expect(await bundles()).toHaveLength(2);
});

test('a script that the bundle has not yet is one that was added since', async () => {
  await write('scripts/say.ts', "console.log('first');");
  await run('say');
  await write('scripts/other-process.ts', "console.log('second' as string);");
  expect(await run('other-process')).toMatchObject({ code: 0, out: 'second\n', err: '' });
});

test('several that are the first at once leave one bundle, and nothing half-made', async () => {
  await write('scripts/say.ts', "console.log('said');");
  const all = await Promise.all(Array.from({ length: 4 }, () => run('say')));
  for (const it of all) expect(it).toEqual({ code: 0, out: 'said\n', err: '' });
  expect(await bundles()).toHaveLength(1);
});

test('while another makes the bundle, it is waited for', async () => {
  await write('scripts/say.ts', "console.log('made by oneself');");
  await run('say');
  const folder = await removeBundle();
  await writeFile(`${folder}.lock`, String(process.pid));
  const waiting = run('say');
  // Enough to be bundled by whoever does not wait.
  await sleep(1500);
  await write('../other/scripts/say.mjs', "console.log('made by the other');");
  await rename(resolve(project, '../other'), folder);
  await rm(`${folder}.lock`);
  expect(await waiting).toEqual({ code: 0, out: 'made by the other\n', err: '' });
});

test('one that was killed while it bundled holds nobody up', async () => {
  await write('scripts/say.ts', "console.log('said');");
  await run('say');
  const folder = await removeBundle();
  const gone = spawn(process.execPath, ['-e', '']);
  await once(gone, 'close');
  await writeFile(`${folder}.lock`, String(gone.pid));
  expect(await run('say')).toMatchObject({ code: 0, out: 'said\n', err: '' });
  expect(await bundles()).toHaveLength(1);
});

test('what can’t be bundled is said, and the script runs all the same', async () => {
  await write('scripts/broken.ts', 'const = 1;');
  await write('scripts/say.ts', "console.log('said' as string);");
  const { code, out, err } = await run('say');
  expect({ code, out }).toEqual({ code: 0, out: 'said\n' });
  expect(err).toContain('scripts/say.ts starts more slowly, since the programs could not be bundled');
  expect(err).toContain('scripts/broken.ts:1:6');
});

test('a source still knows where it lies, and an error where it was thrown', async () => {
  await write('model/page.txt', 'beside');
  await write(
    'model/page.ts',
    [
      "import { readFileSync } from 'node:fs';",
      "export const page = (): string => readFileSync(new URL('./page.txt', import.meta.url), 'utf8');",
      '// a line more',
      'export function fail(): never {',
      "  throw new Error(import.meta.dirname.endsWith('model') ? 'on purpose' : 'elsewhere');",
      '}',
    ].join('\n'),
  );
  await write('scripts/say.ts', "import { fail, page } from '../model/page.js';\nconsole.log(page());\nfail();");
  const { code, out, err } = await run('say');
  expect({ code, out }).toEqual({ code: 1, out: 'beside\n' });
  expect(err).toMatch(/Error: on purpose\n\s+at fail \(.*model\/page\.ts:5:\d+\)\n\s+at .*scripts\/say\.ts:3:1/);
});

test('a package that is not there is missed by the script that needs it, and by no other', async () => {
  await write('scripts/say.ts', "console.log('said');");
  await write('scripts/needy.ts', "import { it } from 'no-such-package'; console.log(it);");
  expect(await run('say')).toMatchObject({ code: 0, out: 'said\n', err: '' });
  const { code, err } = await run('needy');
  expect(code).toBe(1);
  expect(err).toContain("Cannot find package 'no-such-package'");
});

async function write(path: string, text: string): Promise<void> {
  const file = join(project, path);
  await mkdir(resolve(file, '..'), { recursive: true });
  await writeFile(file, text);
}

async function run(script: string): Promise<{ code: number; out: string; err: string }> {
  const child = spawn(process.execPath, [join(project, 'scripts/bootstrap.mjs'), `scripts/${script}.ts`], {
    cwd: tmpdir(),
    env: { ...process.env, ROLLOUT_CACHE: cache },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  const [code] = (await once(child, 'close')) as [number];
  return { code, out, err };
}

/** What is kept for the project beside its name: nothing but whole bundles is to be left. */
async function bundles(): Promise<string[]> {
  const [ofProject = ''] = await readdir(join(cache, 'programs'));
  expect(await readFile(join(cache, 'programs', ofProject, 'project'), 'utf8')).toBe(project);
  return (await readdir(join(cache, 'programs', ofProject)))
    .filter((name) => name !== 'project')
    .map((name) => join(cache, 'programs', ofProject, name));
}

/** The only one that there is; returns where it was. */
async function removeBundle(): Promise<string> {
  const [bundle, more] = await bundles();
  if (bundle === undefined || more !== undefined) throw new Error('expected one bundle');
  await rm(bundle, { recursive: true });
  return bundle;
}
