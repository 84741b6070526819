import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The project's folder, whatever the working folder is. */
export const projectRoot = fileURLToPath(new URL('../..', import.meta.url));

/** Runs a Node program of a dependency with its output on ours. Resolves to its exit code; 1 when a signal ended it. */
export function runNode(program: string, args: readonly string[], signal: AbortSignal): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [`${projectRoot}/node_modules/${program}`, ...args], {
      cwd: projectRoot,
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    const stop = (): boolean => child.kill('SIGTERM');
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    child.once('error', reject);
    child.once('close', (code) => {
      signal.removeEventListener('abort', stop);
      resolve(code ?? 1);
    });
  });
}
