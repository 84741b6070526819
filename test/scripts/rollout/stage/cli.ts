import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { programOf } from '../../../../launch/program.mjs';

const root = join(import.meta.dirname, '..', '..', '..', '..');
const { file, execArgv } = await programOf(join(root, 'scripts', 'rollout.ts'));

export interface CliResult {
  code: number;
  stdout: string;
  stderr: string;
}

export interface CliOptions {
  env?: Record<string, string>;
  cwd?: string;
}

/** The arguments of node that run the command as a person's `rollout` would. */
const nodeArguments = (args: readonly string[]): string[] => [...execArgv, file, ...args];

/** Runs the command as a child process to its end. */
export async function rollout(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const cli = startRollout(args, options);
  const code = await cli.ended;
  return { code, stdout: cli.stdout(), stderr: cli.stderr() };
}

/**
 * Runs the command on a terminal of its own, as `script` gives one, and types.
 *
 * @param type what is typed once the screen shows what comes before it, in turn
 */
export async function rolloutOnTerminal(
  args: readonly string[],
  { env = {}, type }: { env?: Record<string, string>; type: readonly (readonly [shown: RegExp, keys: string])[] },
): Promise<{ code: number; screen: string }> {
  const line = [process.execPath, ...nodeArguments(args)].map((word) => `'${word}'`).join(' ');
  // It has no size by itself.
  const sized = `stty columns 120 rows 40; exec ${line}`;
  const child = spawn('script', ['--quiet', '--return', '--command', sized, '/dev/null'], {
    cwd: root,
    env: { ...cleanEnvironment(), ...env, TERM: 'xterm' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let [screen, looked] = ['', 0];
  const left = [...type];
  child.stdout.on('data', (data: Buffer) => {
    screen += data.toString();
    for (let next = left[0]; next; next = left[0]) {
      const [shown, keys] = next;
      const found = shown.exec(screen.slice(looked));
      if (!found) return;
      looked += found.index + found[0].length;
      left.shift();
      child.stdin.write(keys);
    }
  });
  const code = await new Promise<number>((resolve) => child.once('close', (code) => resolve(code ?? -1)));
  return { code, screen: stripVTControlCharacters(screen) };
}

export function startRollout(args: readonly string[], { env = {}, cwd }: CliOptions = {}) {
  const child: ChildProcess = spawn(process.execPath, nodeArguments(args), {
    cwd: cwd ?? root,
    env: { ...cleanEnvironment(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const text = { stdout: '', stderr: '' };
  child.stdout?.on('data', (data: Buffer) => (text.stdout += data.toString()));
  child.stderr?.on('data', (data: Buffer) => (text.stderr += data.toString()));
  const ended = new Promise<number>((resolve) => child.once('close', (code) => resolve(code ?? -1)));
  return { child, ended, stdout: () => text.stdout, stderr: () => text.stderr };
}

/** Ours, without what would make a test depend on who runs it. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(TEMPORAL_|ROLLOUT_(?!CACHE)|FORCE_COLOR|NO_COLOR)/.test(name)),
  );
}
