import { execFile } from 'node:child_process';
import { mkdir, open, readFile, rm, rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

interface Holder {
  pid: number;
  /** When that process started, in the system's own words: a pid alone may have been given to somebody else since. */
  started: string;
}

/**
 * One set-up at a time for a cache. Waits while another holds it (`onWait` is told once, with its pid); a lock whose
 * holder has died is taken over. Returns the release.
 */
export async function lockCache(cache: string, onWait: (pid: number) => void): Promise<() => Promise<void>> {
  await mkdir(cache, { recursive: true });
  const path = join(cache, 'setup.lock');
  const me: Holder = { pid: process.pid, started: await startOf(process.pid) };
  let told = false;
  for (;;) {
    try {
      const file = await open(path, 'wx');
      await file.writeFile(JSON.stringify(me));
      await file.close();
      return () => rm(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = await read(path);
    if (holder !== undefined && (await isStale(path, holder))) await breakLock(cache, path);
    else if (holder !== undefined && holder.pid > 0 && !told) {
      told = true;
      onWait(holder.pid);
    }
    await sleep(100);
  }
}

/**
 * Takeovers are made one at a time and look again inside: otherwise two that saw the same dead holder could each remove
 * a lock, and the second would remove the first one's new lock.
 */
async function breakLock(cache: string, path: string): Promise<void> {
  const guard = join(cache, 'setup.lock.takeover');
  try {
    await mkdir(guard);
  } catch {
    // A guard is held for milliseconds; one of a minute ago belonged to a process that was killed inside it.
    const { mtimeMs } = await stat(guard).catch(() => ({ mtimeMs: Date.now() }));
    if (Date.now() - mtimeMs > 60_000) await rmdir(guard).catch(() => undefined);
    return;
  }
  try {
    const holder = await read(path);
    if (holder !== undefined && (await isStale(path, holder))) await rm(path, { force: true });
  } finally {
    await rmdir(guard);
  }
}

async function read(path: string): Promise<Holder | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as Holder;
  } catch {
    return { pid: 0, started: '' };
  }
}

async function isStale(path: string, holder: Holder): Promise<boolean> {
  if (holder.pid > 0) return (await startOf(holder.pid)) !== holder.started;
  // Empty: its owner is between creating and writing it, or was killed there.
  const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Date.now() }));
  return Date.now() - mtimeMs > 5000;
}

/** Start time of a process; empty when there is none. Linux' /proc first: slim images have no ps. */
async function startOf(pid: number): Promise<string> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  // The name, in parentheses, may hold spaces: fields are counted from behind it. The start is the 22nd.
  if (text !== undefined) return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  try {
    const { stdout } = await promisify(execFile)('ps', ['-o', 'lstart=', '-p', String(pid)]);
    return stdout.trim();
  } catch {
    return '';
  }
}
