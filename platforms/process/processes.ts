import { execFile } from 'node:child_process';
import { lstat, readdir, readFile, readlink, realpath } from 'node:fs/promises';
import { connect } from 'node:net';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A live process. `started` tells it from a later one that was given the same pid. */
export interface ProcessView {
  pid: number;
  parent: number;
  /** Clock ticks since boot on Linux, a date on macOS: only good for comparing. */
  started: string;
  /** SIGSTOP or a debugger holds it: it keeps its sockets and answers nothing. */
  stopped: boolean;
}

const linux = process.platform === 'linux';

/** The process of this pid, or undefined when it has ended: a zombie has, once none of its threads is left. */
export async function viewProcess(pid: number): Promise<ProcessView | undefined> {
  if (!Number.isInteger(pid) || pid <= 1) return undefined;
  return linux ? viewByProc(pid) : viewByPs(pid);
}

/** Is it still the same process, and not a later one of the same pid? */
export async function stillRuns(it: Pick<ProcessView, 'pid' | 'started'>): Promise<boolean> {
  return (await viewProcess(it.pid))?.started === it.started;
}

/** The binary, absolute. A server run through its own loader shows the loader as its binary, so mappings are asked too. */
export async function executableOf(pid: number): Promise<string | undefined> {
  if (!linux) return (await output('ps', ['-o', 'comm=', '-p', String(pid)]))?.trim();
  const binary = (await readlink(`/proc/${pid}/exe`).catch(() => undefined))?.replace(/ \(deleted\)$/, '');
  if (binary === undefined || !/^ld[-.]/.test(basename(binary))) return binary;
  const maps = await readFile(`/proc/${pid}/maps`, 'utf8').catch(() => '');
  const mapped = maps.split('\n').map((line) => line.slice(line.indexOf('/')));
  return mapped.find((path) => serverName.test(basename(path))) ?? binary;
}

/** Processes of this machine that work in a folder, without the children that they forked to save. */
export async function processesIn(folder: string, hints: readonly number[]): Promise<ProcessView[]> {
  if (!linux) return processesAmong(folder, hints);
  return processesAmong(folder, (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number));
}

/** Of these processes those that work in a folder, without the children that they forked to save. */
export async function processesAmong(folder: string, pids: readonly number[]): Promise<ProcessView[]> {
  const home = await realpath(folder).catch(() => folder);
  const inside: ProcessView[] = [];
  for (const pid of new Set(pids)) {
    if (pid <= 1) continue;
    if ((await workingFolder(pid)) !== home) continue;
    const view = await viewProcess(pid);
    if (view) inside.push(view);
  }
  return inside.filter((it) => !inside.some((other) => other.pid === it.parent));
}

/** Which of these listen on the port, and which on any port at all. */
export async function listening(
  pids: readonly number[],
  port: number,
): Promise<{ here: number[]; elsewhere: number[] }> {
  const here: number[] = [];
  const elsewhere: number[] = [];
  for (const pid of pids) {
    const ports = linux ? await portsByProc(pid) : await portsByLsof(pid);
    if (ports.includes(port)) here.push(pid);
    else if (ports.length > 0) elsewhere.push(pid);
  }
  return { here, elsewhere };
}

/** Pids that listen on a port of this machine; those of other users can't always be seen. */
export async function listenersOf(port: number): Promise<number[]> {
  if (!linux) {
    const text = await output('lsof', ['-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-t']);
    return (text ?? '').split('\n').filter(Boolean).map(Number);
  }
  const inodes = new Set((await sockets('self')).filter((it) => it.port === port).map((it) => it.inode));
  if (inodes.size === 0) return [];
  const found: number[] = [];
  for (const name of await readdir('/proc'))
    if (/^\d+$/.test(name) && (await socketInodes(Number(name))).some((inode) => inodes.has(inode)))
      found.push(Number(name));
  return found;
}

/** Does anybody accept connections there, a process of another user or machine perhaps? */
export function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 1000 });
    const done = (answer: boolean) => (): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', done(true)).once('error', done(false)).once('timeout', done(false));
  });
}

/**
 * Files of a folder that somebody has a lock on (flock), and who took it. A server that ends keeps the lock on its
 * nodes.conf for longer than it can be found in its folder: until its last thread has ended, and each child that it forked
 * (before 6.2 they inherit it). Known on Linux only (/proc/locks, proc(5)).
 */
export async function lockedIn(folder: string): Promise<{ file: string; pid: number }[]> {
  const text = await readFile('/proc/locks', 'utf8').catch(() => '');
  const locks = new Map<string, number>();
  for (const [, pid, place] of text.matchAll(/ FLOCK .* (\d+) ([0-9a-f]+:[0-9a-f]+:\d+) /g))
    if (pid !== undefined && place !== undefined) locks.set(place, Number(pid));
  if (locks.size === 0) return [];
  const found = await Promise.all(
    (await readdir(folder)).map(async (name) => {
      const file = await lstat(join(folder, name)).catch(() => undefined);
      const pid = file && locks.get(`${deviceOf(file.dev)}:${file.ino}`);
      return pid === undefined ? [] : [{ file: name, pid }];
    }),
  );
  return found.flat();
}

/** Major and minor number of a device, as /proc/locks writes them. */
function deviceOf(dev: number): string {
  const parts = [(dev >>> 8) & 0xfff, (dev & 0xff) | ((dev >>> 12) & 0xfff00)];
  return parts.map((part) => part.toString(16).padStart(2, '0')).join(':');
}

/** Does it look like a server, by its name or its binary's? */
export async function isServer(pid: number): Promise<boolean> {
  const path = await executableOf(pid);
  if (path !== undefined && serverName.test(basename(path))) return true;
  return serverName.test((await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')).trim());
}

const serverName = /^(redis|valkey)/;

async function viewByProc(pid: number): Promise<ProcessView | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The name in parentheses may hold anything, parentheses too: what follows the last one is counted (proc(5)).
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, parent] = fields;
  const [threads, started] = [Number(fields[17]), fields[19]];
  if (state === undefined || started === undefined || state === 'X') return undefined;
  // The first thread is a zombie while others still end, and with them the locks on the node's files are held.
  if (state === 'Z' && threads <= 1) return undefined;
  return { pid, parent: Number(parent), started, stopped: state === 'T' || state === 't' };
}

async function viewByPs(pid: number): Promise<ProcessView | undefined> {
  const text = await output('ps', ['-o', 'stat=,ppid=,lstart=', '-p', String(pid)]);
  const match = /^\s*(\S+)\s+(\d+)\s+(.+?)\s*$/.exec(text ?? '');
  if (!match?.[1] || match[1].startsWith('Z')) return undefined;
  return { pid, parent: Number(match[2]), started: match[3] ?? '', stopped: match[1].startsWith('T') };
}

async function workingFolder(pid: number): Promise<string | undefined> {
  if (linux) return readlink(`/proc/${pid}/cwd`).catch(() => undefined);
  const text = await output('lsof', ['-a', '-p', String(pid), '-d', 'cwd', '-Fn']);
  return /^n(.+)$/m.exec(text ?? '')?.[1];
}

async function portsByLsof(pid: number): Promise<number[]> {
  const text = await output('lsof', ['-nP', '-a', '-p', String(pid), '-iTCP', '-sTCP:LISTEN', '-Fn']);
  return [...(text ?? '').matchAll(/^n.*:(\d+)$/gm)].map((match) => Number(match[1]));
}

async function portsByProc(pid: number): Promise<number[]> {
  const own = new Set(await socketInodes(pid));
  return (await sockets(pid)).filter((it) => own.has(it.inode)).map((it) => it.port);
}

async function socketInodes(pid: number): Promise<string[]> {
  const names = await readdir(`/proc/${pid}/fd`).catch(() => [] as string[]);
  const targets = await Promise.all(names.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')));
  return targets.flatMap((target) => /^socket:\[(\d+)\]$/.exec(target)?.[1] ?? []);
}

/** Listening TCP sockets in the network namespace of a process. */
async function sockets(pid: number | 'self'): Promise<{ port: number; inode: string }[]> {
  const texts = await Promise.all(
    ['tcp', 'tcp6'].map((it) => readFile(`/proc/${pid}/net/${it}`, 'utf8').catch(() => '')),
  );
  return texts.flatMap((text) =>
    text.split('\n').flatMap((line) => {
      const fields = line.trim().split(/\s+/);
      const [, local, , state, , , , , , inode] = fields;
      if (state !== '0A' || local === undefined || inode === undefined) return [];
      return [{ port: parseInt(local.slice(local.lastIndexOf(':') + 1), 16), inode }];
    }),
  );
}

async function output(command: string, args: string[]): Promise<string | undefined> {
  return run(command, args, { timeout: 5000 }).then(
    ({ stdout }) => stdout,
    () => undefined,
  );
}
