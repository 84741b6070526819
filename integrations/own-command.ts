import { spawn } from 'node:child_process';
import { formatDuration } from '../model/duration.js';

/** Of what it prints, the end is kept: it goes onto record. */
const KEPT = 200;

export interface OwnCommand {
  /** Program and arguments. */
  command: readonly string[];
  /** ms */
  timeout: number;
  /** What it finds in its environment beside PATH and HOME: nothing else of the worker's own, secrets among it. */
  environment: Readonly<Record<string, string>>;
  /** Are not repeated, should it print them. */
  secrets?: readonly string[];
  signal: AbortSignal;
}

export interface CommandEnd {
  /** Why it is no success: its exit code, the signal that ended it, or that it took too long; absent with exit code 0. */
  problem?: string;
  /** The end of what it printed. */
  said: string;
  tookMs: number;
}

/**
 * Runs a command of the deployment file to its end, in a process group of its own: what it has started ends with it.
 *
 * @throws the signal's reason, once that is aborted
 */
export async function runOwnCommand(own: OwnCommand): Promise<CommandEnd> {
  const { command, timeout, environment, secrets = [], signal } = own;
  const begun = performance.now();
  const [program = '', ...args] = command;
  const { PATH = '', HOME = '/' } = process.env;
  const child = spawn(program, args, {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH, HOME, ...environment },
  });
  let output = '';
  const take = (chunk: Buffer): void => {
    output = (output + chunk.toString('utf8')).slice(-KEPT * 4);
  };
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  const kill = (): void => {
    if (child.pid !== undefined)
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch {
        // It has ended by itself.
      }
  };
  const late = AbortSignal.timeout(timeout);
  late.addEventListener('abort', kill, { once: true });
  signal.addEventListener('abort', kill, { once: true });
  try {
    const ended = await new Promise<string | undefined>((resolve) => {
      child.once('error', (error) => resolve(`could not be started: ${error.message}`));
      child.once('close', (code, killedBy) =>
        resolve(code === 0 ? undefined : killedBy === null ? `exit code ${code ?? 'none'}` : `ended by ${killedBy}`),
      );
    });
    signal.throwIfAborted();
    const problem = late.aborted ? `not done within ${formatDuration(timeout)}` : ended;
    return {
      ...(problem === undefined ? {} : { problem }),
      said: withoutSecrets(output, secrets).trim().slice(-KEPT),
      tookMs: Math.round(performance.now() - begun),
    };
  } finally {
    late.removeEventListener('abort', kill);
    signal.removeEventListener('abort', kill);
    kill();
  }
}

export const withoutSecrets = (text: string, secrets: readonly string[]): string =>
  secrets.filter((secret) => secret !== '').reduce((shown, secret) => shown.replaceAll(secret, '…'), text);
