import { execFile } from 'node:child_process';
import { connect } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';

const project = join(import.meta.dirname, '..', '..', '..');

export function demo(...args: string[]): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    const program = [join(project, 'scripts', 'bootstrap.mjs'), 'scripts/demo.ts', ...args];
    const child = execFile(process.execPath, program, { cwd: project }, (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, output: stdout + stderr }),
    );
    child.stdin?.end();
    // A test that has run out of time leaves it behind: it ends its servers itself.
    onTestFinished(() => void child.kill('SIGTERM'));
  });
}

const listens = (address: string): Promise<boolean> =>
  new Promise((resolve) => {
    const [host = '', port = ''] = address.split(':');
    const socket = connect(Number(port), host, () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });

/** Whatever the demo named as an address listens no more. */
export async function expectGone(output: string, atLeast: number): Promise<void> {
  const addresses = [...new Set(output.match(/127\.0\.0\.1:\d+/g) ?? [])];
  expect(addresses.length).toBeGreaterThanOrEqual(atLeast);
  const still = await Promise.all(addresses.map(async (address) => ((await listens(address)) ? [address] : [])));
  expect(still.flat()).toEqual([]);
}
