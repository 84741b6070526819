import { randomUUID } from 'node:crypto';
import { link, mkdir, readFile, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RolloutError } from '../../model/failures.js';
import { stillRuns, viewProcess } from './processes.js';

interface Holder {
  pid: number;
  started: string;
  nonce: string;
}

/**
 * Runs `act` while no other process or attempt of this machine holds the folder. For short acts only: what may last
 * (copying, waiting) is done outside. A lock whose holder has died is taken over.
 *
 * @throws RolloutError NodeHung when a live holder keeps it for longer than `timeoutMs` (default 30 s)
 */
export async function locked<T>(folder: string, act: () => Promise<T>, timeoutMs = 30_000): Promise<T> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, 'lock');
  const own = `${path}-${randomUUID()}`;
  const me = await viewProcess(process.pid);
  const holder: Holder = { pid: process.pid, started: me?.started ?? '', nonce: randomUUID() };
  await writeFile(own, JSON.stringify(holder));
  try {
    const deadline = Date.now() + timeoutMs;
    // link() creates the lock with its content at once: nobody ever reads half a holder.
    while (!(await linked(own, path))) {
      const other = await read(path);
      if (other && !(await stillRuns(other))) await takeAway(path, other);
      else if (Date.now() > deadline)
        throw new RolloutError(
          'NodeHung',
          `${path} has been held for ${timeoutMs / 1000} s by pid ${other?.pid ?? 'unknown'}, which is alive: if that worker hangs, end it`,
        );
      else await sleep(5);
    }
  } finally {
    await unlink(own);
  }
  try {
    return await act();
  } finally {
    await unlink(path).catch(() => undefined);
  }
}

/**
 * Removes the lock of a dead holder. Of several who see it dead, only the one that links it aside under its nonce may
 * remove it: removing by path alone could hit the lock that a quicker one has taken in the meantime.
 */
async function takeAway(path: string, dead: Holder): Promise<void> {
  const aside = `${path}-stale-${dead.nonce}`;
  if (!(await linked(path, aside))) {
    // Whoever linked it may have died before it removed the lock: after a while another may try.
    const made = await stat(aside).catch(() => undefined);
    if (made && Date.now() - made.ctimeMs > 5000) await unlink(aside).catch(() => undefined);
    await sleep(5);
    return;
  }
  if ((await read(aside))?.nonce === dead.nonce) await unlink(path).catch(() => undefined);
  await unlink(aside).catch(() => undefined);
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' || (code === 'ENOENT' && to.includes('-stale-'))) return false;
    throw error;
  }
}

async function read(path: string): Promise<Holder | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Holder;
  } catch {
    return undefined;
  }
}
