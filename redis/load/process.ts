import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { programOf } from '../../launch/program.mjs';
import { RolloutError, type FailureType } from '../../model/failures.js';
import type { LoadResult } from '../../model/load-shape.js';
import type { LoadInput } from './open-load.js';

export interface ToLoad {
  what: 'fill' | 'run' | 'clear';
  input: LoadInput;
}
export type FromLoad = { kind: 'done'; result?: LoadResult } | { kind: 'failed'; type?: FailureType; message: string };

/** Writes every key of a load, so that its reads find something. @throws RolloutError TargetFull, Unreachable */
export async function fillLoad(input: LoadInput, signal: AbortSignal): Promise<void> {
  await inProcess({ what: 'fill', input }, signal);
}

/** Removes every key of a load. @throws RolloutError Unreachable */
export async function clearLoad(input: LoadInput, signal: AbortSignal): Promise<void> {
  await inProcess({ what: 'clear', input }, signal);
}

/**
 * Plays a load in a process of its own, so that a busy worker doesn't disturb what is measured.
 *
 * @throws RolloutError StartFailed where that process ends without an answer
 */
export async function playLoad(input: LoadInput, signal: AbortSignal): Promise<LoadResult> {
  const result = await inProcess({ what: 'run', input }, signal);
  if (!result) throw new RolloutError('StartFailed', 'the load ended without a result');
  return result;
}

async function inProcess(told: ToLoad, signal: AbortSignal): Promise<LoadResult | undefined> {
  signal.throwIfAborted();
  const { file, execArgv } = await programOf(fileURLToPath(new URL('./load-process.ts', import.meta.url)));
  const child = fork(file, [], {
    // The parent's own execArgv is not for this child: vitest's and a debugger's would break it.
    execArgv,
    // Certificates are Buffers.
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const kill = (): void => void child.kill('SIGKILL');
  signal.addEventListener('abort', kill, { once: true });
  try {
    const said = await new Promise<FromLoad>((resolve, reject) => {
      let last: FromLoad | undefined;
      child.on('message', (message: FromLoad) => (last = message));
      child.once('error', reject);
      child.once('exit', (code, killed) =>
        resolve(last ?? { kind: 'failed', message: `the load's process ended with ${killed ?? `exit code ${code}`}` }),
      );
      child.send(told, (error) => {
        if (error) reject(error);
      });
    });
    signal.throwIfAborted();
    if (said.kind === 'failed') throw new RolloutError(said.type ?? 'StartFailed', said.message);
    return said.result;
  } finally {
    signal.removeEventListener('abort', kill);
    kill();
  }
}
