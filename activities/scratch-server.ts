import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdtemp, open, readFile, rm, writeFile, type FileHandle } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { RolloutError } from '../model/failures.js';
import { connect } from '../redis/connection.js';
import { parseInfo } from '../redis/info.js';

/** Longest that a server may take until it begins to read, ms. */
const BEGIN_MS = 30_000;
/** Longest from the last byte until it serves, ms. */
const SETTLE_MS = 60_000;

/**
 * The server ends with this process, however that ends: the shell reads from a pipe that nobody writes to, and kills it when
 * the pipe breaks.
 */
const WATCHED = `exec 3<&0
"$0" "$1" </dev/null 3<&- >"$2" 2>&1 &
server=$!
(cat <&3 >/dev/null; kill -9 $server 2>/dev/null) &
watch=$!
exec 3<&- </dev/null
wait $server
kill $watch 2>/dev/null`;

export interface ScratchLoad {
  /** Path of the server. */
  program: string;
  /** A snapshot; nothing is believed before it has come to its end. */
  rdb: AsyncIterable<Buffer>;
  /** Databases that it has. */
  databases: number;
  signal: AbortSignal;
}

/**
 * Starts a server for this one thing, on loopback and with a password of its own, has it load a snapshot, and ends it. The
 * snapshot comes to it through a pipe in the place of its dump.rdb: it is on no disk. It loads as the replica of a primary
 * that isn't there, since a primary drops what has expired.
 *
 * @returns keys by database
 * @throws RolloutError StartFailed, with the end of its log, when it doesn't load it; and whatever `rdb` throws
 */
export async function loadIntoScratch({ program, rdb, databases, signal }: ScratchLoad): Promise<Map<number, number>> {
  const home = await mkdtemp(join(tmpdir(), 'redis-rollout-scratch-'));
  const [pipe, file, log] = ['dump.rdb', 'redis.conf', 'redis.log'].map((name) => join(home, name)) as [string, string, string]; // prettier-ignore
  const port = await freePort();
  const password = randomBytes(16).toString('hex');
  let server: ChildProcess | undefined;
  try {
    await promisify(execFile)('mkfifo', ['-m', '600', pipe]);
    const lines = [
      ...[`port ${port}`, 'bind 127.0.0.1', `requirepass ${password}`, `dir "${home}"`, 'dbfilename dump.rdb'],
      ...['daemonize no', 'save ""', 'appendonly no', `databases ${Math.max(16, databases)}`],
      ...['replicaof 127.0.0.1 1', 'replica-serve-stale-data yes'],
    ];
    await writeFile(file, `${lines.join('\n')}\n`, { mode: 0o600 });
    const running = spawn('sh', ['-c', WATCHED, program, file, log], { stdio: ['pipe', 'ignore', 'ignore'] });
    server = running;
    const failed = async (what: string): Promise<RolloutError> => {
      const text = await readFile(log, 'utf8').catch(() => '');
      const end = text.trim().split('\n').slice(-5).join('\n');
      return new RolloutError('StartFailed', `${program} ${what}: ${end === '' ? 'its log is empty' : end}`);
    };
    const alive = (): boolean => running.exitCode === null && running.signalCode === null;

    await using writer = await reading(pipe, { alive, failed, signal });
    for await (const chunk of rdb) {
      signal.throwIfAborted();
      for (let at = 0; at < chunk.length;)
        try {
          at += (await writer.write(chunk, at)).bytesWritten;
        } catch (error) {
          throw (error as NodeJS.ErrnoException).code === 'EPIPE' ? await failed('does not load the snapshot') : error;
        }
    }
    await writer.close();
    const deadline = Date.now() + SETTLE_MS;
    for (;;) {
      if (Date.now() > deadline) throw await failed('had the whole snapshot, and does not answer');
      signal.throwIfAborted();
      if (!alive()) throw await failed('does not load the snapshot');
      const loaded = await keysOf(port, password).catch((error: unknown) => {
        if (error instanceof RolloutError && error.retryable) return undefined;
        throw error;
      });
      if (loaded) return loaded;
      await sleep(50);
    }
  } finally {
    if (server) await end(server);
    await rm(home, { recursive: true, force: true });
  }
}

/** The pipe, once the server reads from it: opened before, it would hold a thread of this process for as long. */
async function reading(
  pipe: string,
  {
    alive,
    failed,
    signal,
  }: { alive: () => boolean; failed: (what: string) => Promise<RolloutError>; signal: AbortSignal },
): Promise<FileHandle> {
  const deadline = Date.now() + BEGIN_MS;
  for (;;) {
    signal.throwIfAborted();
    try {
      const first = await open(pipe, constants.O_WRONLY | constants.O_NONBLOCK);
      // One that waits where the server is slower, instead of failing.
      const writer = await open(pipe, constants.O_WRONLY);
      await first.close();
      // From 7.4 on a server opens it again once it has loaded, to have it leave the page cache, and would wait for a writer.
      await rm(pipe);
      return writer;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENXIO') throw error;
    }
    if (!alive()) throw await failed('did not start');
    if (Date.now() > deadline) throw await failed(`has not begun to load within ${BEGIN_MS} ms`);
    await sleep(20);
  }
}

/** Undefined while it loads. */
async function keysOf(port: number, password: string): Promise<Map<number, number> | undefined> {
  await using node = await connect({ host: '127.0.0.1', port, password });
  const info = parseInfo(String(await node.call('INFO')));
  if (info['loading'] !== '0') return undefined;
  return new Map(
    Object.entries(info).flatMap(([name, value]) => {
      const [database, keys] = [/^db(\d+)$/.exec(name)?.[1], /^keys=(\d+)/.exec(value)?.[1]];
      return database === undefined || keys === undefined ? [] : [[Number(database), Number(keys)]];
    }),
  );
}

async function end(server: ChildProcess): Promise<void> {
  const gone = new Promise<void>((resolve) => {
    if (server.exitCode !== null || server.signalCode !== null) resolve();
    else server.once('exit', () => resolve());
  });
  server.stdin?.destroy();
  await gone;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const listener = createServer();
    listener.once('error', reject);
    listener.listen(0, '127.0.0.1', () => {
      const address = listener.address();
      listener.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
