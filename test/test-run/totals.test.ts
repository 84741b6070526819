import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { suites } from '../../scripts/test-run/suites.js';
import { addUp, line, nothing } from '../../scripts/test-run/totals.js';
import { count } from '../../scripts/test-run/vitest.js';

const root = resolve(import.meta.dirname, '../..');
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rollout-totals-'));
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  await mkdir(join(folder, 'test'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test('passed, failed, skipped, and a file that breaks before its first test, are all counted', async () => {
  await file('passes', "test('a', () => {}); test('b', () => {}); test.skip('c', () => {}); test.todo('d');");
  await file('fails', "test('a', () => { throw new Error('no'); });");
  await file('breaks', "import './is-not-there.js'; test('never reached', () => {});");
  expect(await totals()).toEqual({
    passed: 2,
    failures: [
      expect.stringMatching(/breaks\.test\.js: .*is-not-there/),
      expect.stringMatching(/fails\.test\.js > a: Error: no$/),
    ],
    skipped: 2,
  });
});

test('an error outside of every test fails a run whose tests all pass', async () => {
  await file(
    'rejects',
    "test('a', async () => { void Promise.reject(new Error('late')); await new Promise((r) => setTimeout(r, 50)); });",
  );
  expect(await totals()).toEqual({ passed: 1, failures: ['some: ended with 1; its own output says why'], skipped: 0 });
});

test('a run that ended without a report is a failure', () => {
  expect(count('e2e', undefined, 1)).toEqual({ ...nothing(), failures: ['e2e: ended with 1, without a report'] });
});

test('the closing line names skipped tests only when there are some', () => {
  const sum = { ...nothing(), passed: 1 };
  expect(line(sum)).toBe('1 passed, 0 failed');
  addUp(sum, { passed: 2, failures: ['checks: lint'], skipped: 3 });
  expect(line(sum)).toBe('3 passed, 1 failed, 3 skipped');
});

test('every folder of test/ that has tests is run once, those without servers first', async () => {
  const all = await suites();
  const folders = all.flatMap((suite) => suite.folders);
  expect(new Set(folders).size).toBe(folders.length);
  expect(folders).toContain('test/test-run/');
  expect(all[0]?.folders).toContain('test/model/');
  // What takes half an hour more is run where it is asked for.
  expect(folders).not.toContain('test/faults/');
  expect((await suites(undefined, true)).at(-1)?.folders).toEqual(['test/faults/']);
});

const file = (name: string, body: string): Promise<void> =>
  writeFile(join(folder, 'test', `${name}.test.js`), `import { test } from 'vitest';\n${body}\n`);

async function totals() {
  const report = join(folder, 'report.json');
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const args = [vitest, 'run', '--root', folder, '--reporter=json', `--outputFile=${report}`];
  const child = spawn(process.execPath, args, { cwd: folder, stdio: 'ignore' });
  const [code] = (await once(child, 'close')) as [number];
  return count('some', await readFile(report, 'utf8'), code);
}
