// Options that ask for different things: one of them would be forgotten, and nobody told.
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { demo } from './run-demo.js';

test.each([
  ['--drill', '--fallback'],
  ['--drill', '--keep'],
  ['--full', '--drill'],
  ['--full', '--fallback'],
  ['--full', '--keep'],
])('%s and %s are refused, and nothing is started', async (one, other) => {
  const folder = await mkdtemp(join(tmpdir(), 'redis-rollout-demo-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const { code, output } = await demo('--yes', other, one, '--folder', folder);
  expect(code).toBe(2);
  expect(output).toContain(`demo: ${one} and ${other}: expected one of them, found both`);
  expect(await readdir(folder)).toEqual([]);
});

test('what there is not is refused, and what there is is told', async () => {
  expect((await demo('--fully')).code).toBe(2);
  const { code, output } = await demo('--full', '--help');
  expect(code).toBe(0);
  for (const option of ['--full', '--fallback', '--drill', '--yes', '--summary FILE', '--keep', '--folder DIR'])
    expect(output).toContain(option);
});
