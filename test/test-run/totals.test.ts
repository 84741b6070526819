import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { slowest } from '../../scripts/test-run/slow-first.js';
import { suites } from '../../scripts/test-run/suites.js';
import { addUp, closing, nothing, type Failure } from '../../scripts/test-run/totals.js';
import { count, settle } from '../../scripts/test-run/vitest.js';

const root = resolve(import.meta.dirname, '../..');
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rollout-totals-'));
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  await mkdir(join(folder, 'test'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test('passed, failed, skipped, and a file that breaks before its first test, are all counted and named', async () => {
  await file('passes', "test('a', () => {}); test('b', () => {}); test.skip('c', () => {}); test.todo('d');");
  await file('fails', "test('a', () => { throw new Error('no'); });");
  await file('breaks', "import './is-not-there.js'; test('never reached', () => {});");
  const { failures, ...rest } = await totals();
  expect(rest).toEqual({ passed: 2, skipped: 2, flaky: [] });
  expect(failures.map(({ what, why }) => `${what}: ${why}`).sort()).toEqual([
    expect.stringMatching(/breaks\.test\.js: .*is-not-there/),
    expect.stringMatching(/fails\.test\.js > a: Error: no$/),
  ]);
});

test('an error outside of every test fails a run whose tests all pass', async () => {
  await file(
    'rejects',
    "test('a', async () => { void Promise.reject(new Error('late')); await new Promise((r) => setTimeout(r, 50)); });",
  );
  const failures = [{ what: 'some', why: 'ended with 1; its own output says why' }];
  expect(await totals()).toEqual({ ...nothing(), passed: 1, failures });
});

test('a run that ended without a report is a failure', () => {
  const failures = [{ what: 'e2e', why: 'ended with 1, without a report' }];
  expect(count('e2e', undefined, 1)).toEqual({ ...nothing(), failures });
});

test('what passes when its file is run again is flaky; what fails again, or anew, has failed', () => {
  const failure = (name: string, test?: string): Failure => ({
    ...{ what: name, why: 'no', file: name },
    ...(test === undefined ? {} : { test }),
  });
  const [flaky, broken, fresh] = [failure('a', '1'), failure('b', '1'), failure('b', '2')];
  const hook = failure('c');
  const first = { ...nothing(), passed: 5, failures: [flaky, broken, hook] };
  expect(settle(first, { ...nothing(), passed: 9, failures: [broken, fresh] })).toEqual({
    ...{ passed: 6, skipped: 0, failures: [broken, fresh], flaky: [flaky, hook] },
  });
  // The second run itself broke down: nothing was shown by it.
  const lost = { what: 'e2e', why: 'ended with 1, without a report' };
  expect(settle(first, { ...nothing(), failures: [lost] })).toEqual({
    ...{ passed: 5, skipped: 0, failures: [flaky, broken, hook, lost], flaky: [] },
  });
});

test('the closing lines name what failed; skipped tests only when there are some', () => {
  const sum = { ...nothing(), passed: 1 };
  expect(closing(sum)).toBe('1 passed, 0 failed');
  const [slow, lint] = [
    { what: 'a.test.ts > b', why: 'too slow' },
    { what: 'checks: lint', why: 'see above' },
  ];
  addUp(sum, { passed: 2, failures: [lint], skipped: 3, flaky: [slow] });
  expect(closing(sum).split('\n')).toEqual([
    ...['Failed at first, passed when run again: a bug all the same', '  a.test.ts > b: too slow', ''],
    ...['Failed:', '  checks: lint: see above', '', '3 passed, 1 failed, 3 skipped'],
  ]);
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

test('a slow file that was renamed is begun first under its new name', async () => {
  const there = await Promise.all(slowest.map((it) => access(join(root, it)).then(() => it)));
  expect(there).toEqual(slowest);
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
