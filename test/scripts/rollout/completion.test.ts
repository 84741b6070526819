import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bashCompletion } from '../../../scripts/rollout/completion/bash.js';
import { commandWords } from '../../../scripts/rollout/completion/tree.js';
import { rolloutProgram } from '../../../scripts/rollout/program.js';
import { rollout } from './stage/cli.js';

const run = promisify(execFile);
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rollout-completion-'));
  await mkdir(join(folder, 'deployments'));
  for (const name of ['orders', 'sessions']) await writeFile(join(folder, 'deployments', `${name}.yaml`), '');
  await writeFile(join(folder, 'report one.html'), '');
  await writeFile(join(folder, 'rollout.bash'), bashCompletion(commandWords(rolloutProgram())));
});
afterAll(() => rm(folder, { recursive: true }));

/** What bash would offer for the last of the words, by the function that it has registered for `rollout`. */
async function offered(...words: string[]): Promise<string[]> {
  const script = `
    source rollout.bash
    registered=$(complete -p rollout)
    [[ $registered =~ -F\\ ([^ ]+) ]] || exit 9
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    "\${BASH_REMATCH[1]}" rollout "\${COMP_WORDS[COMP_CWORD]}" "\${COMP_WORDS[COMP_CWORD-1]}"
    [ \${#COMPREPLY[@]} -eq 0 ] || printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout } = await run('bash', ['--norc', '-c', script, 'bash', 'rollout', ...words], { cwd: folder });
  return stdout.split('\n').filter((line) => line !== '');
}

test('the first word is a command', async () => {
  expect(await offered('st')).toEqual(['start', 'status', 'staging']);
  expect(await offered('')).toEqual(
    expect.arrayContaining(rolloutProgram().commands.map((command) => command.name())) as string[],
  );
});

test('a deployment, its options, and what follows an option', async () => {
  expect(await offered('watch', '')).toEqual(['orders', 'sessions']);
  expect(await offered('watch', 'o')).toEqual(['orders']);
  expect(await offered('override', 'orders', '--g')).toEqual(['--gate']);
  expect(await offered('approve', 'orders', '--comment', '')).toEqual([]);
  expect(await offered('completion', 'z')).toEqual(['zsh']);
});

test('no deployments folder is no error', async () => {
  await rm(join(folder, 'deployments'), { recursive: true });
  expect(await offered('watch', '')).toEqual([]);
});

test('the script is printed, by itself or in JSON; an unknown shell is named with those there are', async () => {
  const [plain, json, unknown] = await Promise.all([
    rollout(['completion', 'bash']),
    rollout(['completion', 'bash', '--json']),
    rollout(['completion', 'tcsh']),
  ]);
  expect(plain.stdout).toContain('complete -F _rollout rollout');
  expect(JSON.parse(json.stdout)).toEqual({ shell: 'bash', script: plain.stdout });
  expect(unknown.code).toBe(2);
  expect(unknown.stderr).toContain('Allowed choices are bash, zsh, fish');
});
