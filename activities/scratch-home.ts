import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

const PREFIX = 'redis-rollout-scratch-';
const OWNED = new RegExp(`^${PREFIX}(\\d+)-`);

/**
 * A new folder for servers that are thrown away. What workers left that were killed is removed: their servers ended with
 * them, and could not take their folder along.
 */
export async function scratchHome(parent: string): Promise<string> {
  for (const name of await readdir(parent)) {
    const pid = OWNED.exec(name)?.[1];
    if (pid !== undefined && isGone(Number(pid))) await rm(join(parent, name), { recursive: true, force: true });
  }
  return mkdtemp(join(parent, `${PREFIX}${process.pid}-`));
}

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}
