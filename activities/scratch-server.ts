import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdtemp, open, rm, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { RolloutError } from '../model/failures.js';
import { connect } from '../redis/connection.js';
import { parseInfo } from '../redis/info.js';
import { freePort, ScratchProcess } from './scratch-process.js';

/** Longest that a server may take until it begins to read, ms. */
const BEGIN_MS = 30_000;
/** Longest from the last byte until it serves, ms. */
const SETTLE_MS = 60_000;

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
  const pipe = join(home, 'dump.rdb');
  const port = await freePort();
  const password = randomBytes(16).toString('hex');
  let server: ScratchProcess | undefined;
  try {
    await promisify(execFile)('mkfifo', ['-m', '600', pipe]);
    const lines = [
      ...[`port ${port}`, 'bind 127.0.0.1', `requirepass ${password}`, 'dbfilename dump.rdb', 'save ""'],
      ...['appendonly no', `databases ${Math.max(16, databases)}`],
      ...['replicaof 127.0.0.1 1', 'replica-serve-stale-data yes'],
    ];
    server = await ScratchProcess.start({ program, home, lines });

    await using writer = await reading(pipe, { server, signal });
    for await (const chunk of rdb) {
      signal.throwIfAborted();
      for (let at = 0; at < chunk.length;)
        try {
          at += (await writer.write(chunk, at)).bytesWritten;
        } catch (error) {
          throw (error as NodeJS.ErrnoException).code === 'EPIPE'
            ? await server.failed('does not load the snapshot')
            : error;
        }
    }
    await writer.close();
    const deadline = Date.now() + SETTLE_MS;
    for (;;) {
      if (Date.now() > deadline) throw await server.failed('had the whole snapshot, and does not answer');
      signal.throwIfAborted();
      if (!server.alive) throw await server.failed('does not load the snapshot');
      const loaded = await keysOf(port, password).catch((error: unknown) => {
        if (error instanceof RolloutError && error.retryable) return undefined;
        throw error;
      });
      if (loaded) return loaded;
      await sleep(50);
    }
  } finally {
    await server?.end();
    await rm(home, { recursive: true, force: true });
  }
}

/** The pipe, once the server reads from it: opened before, it would hold a thread of this process for as long. */
async function reading(
  pipe: string,
  { server, signal }: { server: ScratchProcess; signal: AbortSignal },
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
    if (!server.alive) throw await server.failed('did not start');
    if (Date.now() > deadline) throw await server.failed(`has not begun to load within ${BEGIN_MS} ms`);
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
