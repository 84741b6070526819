import { execFile } from 'node:child_process';
import { appendFile, readFile, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { Sandbox, SandboxNode } from './cluster.js';

const run = promisify(execFile);

/** Takes a fault away again: afterwards a server runs there, the node's own or the one that was started meanwhile. */
export type Undo = () => Promise<void>;
/** Does something to one node that nobody planned; the node's own server has it when this returns. */
export type NodeFault = (sandbox: Sandbox, node: SandboxNode) => Promise<Undo>;

/** SIGKILL; undone by starting what ran there last. */
export const killed: NodeFault = async (sandbox, node) => {
  await sandbox.kill(node);
  return () => sandbox.start(node);
};

/** SIGSTOP: it keeps its sockets and answers nothing. */
export const hung: NodeFault = async (sandbox, node) => {
  const pids = await sandbox.signal(node, 'SIGSTOP');
  return () => {
    for (const pid of pids) signalled(pid, 'SIGCONT');
    return Promise.resolve();
  };
};

/**
 * No room for another file of any size: the node's own disk is filled (`SandboxOptions.diskBytes`). Where it has none,
 * because this user may not mount, the server may write no file beyond what its log has now: it can't save, and a server
 * that is started in its place can.
 */
export const diskFull: NodeFault = async (sandbox, node) => {
  if (await hasOwnDisk(node)) {
    const filler = join(node.home, 'filler');
    await fillUp(filler);
    return () => rm(filler, { force: true });
  }
  const { size } = await stat(join(node.home, 'redis.log'));
  return limited(sandbox, node, 'fsize', size + LOG_ROOM_BYTES);
};

/** To the last block, though the node writes meanwhile. */
async function fillUp(file: string): Promise<void> {
  try {
    for (;;) await appendFile(file, Buffer.alloc(1024 * 1024));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  }
}

/** For the server's own log, which ends it when it grows beyond the limit. */
const LOG_ROOM_BYTES = 16 * 1024;

/**
 * The server may take little more memory than it has: it ends itself at the next larger allocation. A server that is
 * started in its place has no limit.
 */
export const noMoreMemory: NodeFault = async (sandbox, node) => {
  const [pid] = await sandbox.pids(node);
  if (pid === undefined) throw new Error(`no server runs at ${node.address}`);
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const kib = Number(/^VmSize:\s+(\d+) kB$/m.exec(status)?.[1]);
  return limited(sandbox, node, 'as', (kib + SPARE_KIB) * 1024);
};

const SPARE_KIB = 256;

/** prlimit(1) of util-linux, on every process of the node; only the soft limit, which may be raised again. */
async function limited(sandbox: Sandbox, node: SandboxNode, what: 'as' | 'fsize', bytes: number): Promise<Undo> {
  const pids = await sandbox.pids(node);
  const set = (limit: number | 'unlimited') =>
    Promise.all(pids.map((pid) => run('prlimit', ['--pid', String(pid), `--${what}=${limit}:`])));
  await set(bytes);
  return async () => {
    await set('unlimited').catch(() => {
      // It has ended, and the limit with it.
    });
    await sandbox.start(node);
  };
}

const hasOwnDisk = async ({ home }: SandboxNode): Promise<boolean> =>
  (await stat(home)).dev !== (await stat(dirname(home))).dev;

function signalled(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended.
  }
}
