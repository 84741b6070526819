import { spawn } from 'node:child_process';

export interface CommandOptions {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  /** Ends the command, and whatever it started, when set-up is interrupted. */
  signal?: AbortSignal;
  /** Added to the message when it fails, so that a long log isn't lost. */
  tailLines?: number;
}

/** Runs a program to its end and returns its standard output. Rejects with its last words, in one line by default. */
export function runCommand(program: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  const { signal, cwd, env, tailLines = 1 } = options;
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(new Error('interrupted'));
      return;
    }
    // A group of its own, so that a build's compilers end with it.
    const child = spawn(program, args, {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(cwd === undefined ? {} : { cwd }),
      ...(env === undefined ? {} : { env: { ...process.env, ...env } }),
    });
    const stop = (): void => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      } catch {
        // Gone already.
      }
    };
    signal?.addEventListener('abort', stop, { once: true });
    let [out, err] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
    child.once('error', (error) => reject(new Error(`${program} could not be run: ${error.message}`)));
    child.once('close', (code, by) => {
      signal?.removeEventListener('abort', stop);
      if (code === 0) resolve(out);
      else if (signal?.aborted) reject(new Error('interrupted'));
      else
        reject(
          new Error(`${program} ${args[0] ?? ''}: ${lastLines(err || out, tailLines) || `ended with ${code ?? by}`}`),
        );
    });
  });
}

/** The lines that say what went wrong: errors where the program marks them, else its last ones. */
function lastLines(text: string, count: number): string {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const marked = lines.filter((line) => /^(E:|ERROR|error|curl:|fatal)/i.test(line));
  return (marked.length > 0 ? marked : lines).slice(-count).join('\n');
}
