import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { RolloutError } from '../model/failures.js';

const PREFIX = 'redis-rollout-scratch-';
const OWNED = new RegExp(`^${PREFIX}(\\d+)-`);

/**
 * A new folder for servers that are thrown away. What workers left that were killed is removed: their servers ended with
 * them, and could not take their folder along.
 *
 * @throws RolloutError NoSpace
 */
export async function scratchHome(parent: string): Promise<string> {
  for (const name of await readdir(parent)) {
    const pid = OWNED.exec(name)?.[1];
    if (pid !== undefined && isGone(Number(pid))) await rm(join(parent, name), { recursive: true, force: true });
  }
  return mkdtemp(join(parent, `${PREFIX}${process.pid}-`)).catch((error: unknown) => {
    throw withoutRoom(error, parent);
  });
}

/** Of what failed in a scratch folder: where its disk is full, that. No data lies there, but what a server is started with. */
export function withoutRoom(error: unknown, folder: string): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  if (error instanceof RolloutError || !(error instanceof Error)) return error;
  const isFull = code === 'ENOSPC' || code === 'EDQUOT' || /no space left on device/i.test(message);
  return isFull ? new RolloutError('NoSpace', `${folder}: the disk is full`, { cause: error }) : error;
}

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}
