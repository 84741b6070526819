import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { programOf } from '../../../launch/program.mjs';
import type { Endpoint, NodeConnection } from '../../../redis/connection.js';
import { peakRssBytes } from '../../sandbox/peak-memory.js';
import type { FollowerInput } from './follower-process.js';

/** Whoever follows the primary: our follower with its standby, or a native replica. */
export interface Subject extends AsyncDisposable {
  name: 'follower' | 'replica';
  /** Whatever takes its time before it can go on. */
  prepare(): Promise<void>;
  /** Goes on from where it was stopped. */
  start(): Promise<void>;
  /** Takes nothing in any more, and keeps its place. */
  stop(): Promise<void>;
  /** Last byte of the primary's stream that it has. */
  offset(): Promise<number>;
  /** Of the process that follows, bytes; a replica's is its dataset, too. */
  peakBytes(): number | undefined;
}

const child = fileURLToPath(new URL('./follower-process.ts', import.meta.url));

export interface FollowerSubject {
  primary: Endpoint;
  standby: Endpoint;
  standbyConnection: NodeConnection;
  record: string;
  source: string;
  target: string;
}

export function follower({ standbyConnection, record, ...rest }: FollowerSubject): Subject {
  let running: ChildProcess | undefined;
  let peak: number | undefined;
  const stop = async (): Promise<void> => {
    if (!running) return;
    const ending = running;
    running = undefined;
    peak = Math.max(peak ?? 0, peakRssBytes(ending.pid ?? 0));
    const gone = once(ending, 'exit');
    ending.kill('SIGKILL');
    await gone;
  };
  return {
    name: 'follower',
    async prepare() {
      const input: FollowerInput = rest;
      const { file, execArgv } = await programOf(child);
      running = fork(file, [JSON.stringify(input)], {
        execArgv,
        env: { MALLOC_ARENA_MAX: '1', ...process.env },
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      });
      await said(running, 'ready');
    },
    async start() {
      if (!running) throw new Error('the follower was not prepared');
      running.send('go');
      await said(running, 'following');
    },
    stop,
    async offset() {
      return Number(await standbyConnection.call('HGET', record, 'offset'));
    },
    peakBytes: () => peak,
    [Symbol.asyncDispose]: stop,
  };
}

async function said(follower: ChildProcess, word: 'ready' | 'following'): Promise<void> {
  const [first] = (await Promise.race([once(follower, 'message'), once(follower, 'exit')])) as [unknown];
  if (first !== word) throw new Error(`the follower ended: ${String(first)}`);
}

/** Stopped by SIGSTOP: it keeps its connection, and what it is sent waits in the primary. */
export function replica(connection: NodeConnection, pid: number): Subject {
  const signal = (name: 'SIGSTOP' | 'SIGCONT') => (): Promise<void> => {
    process.kill(pid, name);
    return Promise.resolve();
  };
  return {
    name: 'replica',
    prepare: () => Promise.resolve(),
    start: signal('SIGCONT'),
    stop: signal('SIGSTOP'),
    async offset() {
      const info = String(await connection.call('INFO', 'replication'));
      return Number(/slave_repl_offset:(\d+)/.exec(info)?.[1]);
    },
    peakBytes: () => undefined,
    [Symbol.asyncDispose]: signal('SIGCONT'),
  };
}
