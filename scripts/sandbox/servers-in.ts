import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isServer, processesIn } from '../../platforms/process/processes.js';

/** Ends every server that works in a folder of this one, whoever started it. */
export async function endServersIn(root: string): Promise<void> {
  for (const name of await readdir(root).catch(() => []))
    for (const { pid } of await processesIn(join(root, name), [])) if (await isServer(pid)) kill(pid);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}
