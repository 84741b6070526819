import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { open, rm, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { RolloutError } from '../model/failures.js';
import { keyspaceOf } from '../model/keyspace.js';
import { connect, type Endpoint } from '../redis/connection.js';
import { parseInfo } from '../redis/info.js';
import { scratchHome, withoutRoom } from './scratch-home.js';
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
  /** Port on loopback of whoever goes on where the snapshot ends, and what to show there; without it nobody does. */
  primary?: { port: number; password: string };
  signal: AbortSignal;
}

/** A server that has loaded a snapshot, for as long as it is looked at. */
export interface ScratchServer extends AsyncDisposable {
  endpoint: Endpoint;
  process: ScratchProcess;
  /** Keys by database, once the snapshot was loaded. */
  keys: Map<number, number>;
}

/**
 * Has a server load a snapshot, counts its keys, and ends it.
 *
 * @returns keys by database
 * @throws RolloutError as `scratchServer`
 */
export async function loadIntoScratch(load: ScratchLoad): Promise<Map<number, number>> {
  await using server = await scratchServer(load);
  return server.keys;
}

/**
 * Starts a server for this one thing, on loopback and with a password of its own, and has it load a snapshot. The snapshot
 * comes to it through a pipe in the place of its dump.rdb: it is on no disk. It loads as a replica, since a primary drops
 * what has expired.
 *
 * @throws RolloutError StartFailed, with the end of its log, when it doesn't load it; NoSpace; and whatever `rdb` throws
 */
export async function scratchServer({ program, rdb, databases, primary, signal }: ScratchLoad): Promise<ScratchServer> {
  const home = await scratchHome(tmpdir());
  const pipe = join(home, 'dump.rdb');
  const endpoint = { host: '127.0.0.1', port: await freePort(), password: randomBytes(16).toString('hex') };
  let server: ScratchProcess | undefined;
  const dispose = async (): Promise<void> => {
    await server?.end();
    await rm(home, { recursive: true, force: true });
  };
  try {
    await promisify(execFile)('mkfifo', ['-m', '600', pipe]);
    const lines = [
      ...[`port ${endpoint.port}`, 'bind 127.0.0.1', `requirepass ${endpoint.password}`, 'dbfilename dump.rdb'],
      ...['save ""', 'appendonly no', `databases ${Math.max(16, databases)}`],
      ...[`replicaof 127.0.0.1 ${primary?.port ?? 1}`, 'replica-serve-stale-data yes'],
      ...(primary === undefined ? [] : [`masterauth ${primary.password}`, 'repl-timeout 86400']),
      // What it gives on goes over a socket, and nothing through a file.
      ...['repl-diskless-sync yes', 'repl-diskless-sync-delay 0', 'client-output-buffer-limit replica 0 0 0'],
    ];
    server = await ScratchProcess.start({ program, home, lines });
    await write(pipe, rdb, { server, signal });
    const keys = await loaded(endpoint, { server, signal });
    return { endpoint, process: server, keys, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw withoutRoom(error, home);
  }
}

interface Watched {
  server: ScratchProcess;
  signal: AbortSignal;
}

async function write(pipe: string, rdb: AsyncIterable<Buffer>, { server, signal }: Watched): Promise<void> {
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
}

async function loaded(endpoint: Endpoint, { server, signal }: Watched): Promise<Map<number, number>> {
  const deadline = Date.now() + SETTLE_MS;
  for (;;) {
    if (Date.now() > deadline) throw await server.failed('had the whole snapshot, and does not answer');
    signal.throwIfAborted();
    if (!server.alive) throw await server.failed('does not load the snapshot');
    const keys = await keysOf(endpoint).catch((error: unknown) => {
      if (error instanceof RolloutError && error.retryable) return undefined;
      throw error;
    });
    if (keys) return keys;
    await sleep(50);
  }
}

/** The pipe, once the server reads from it: opened before, it would hold a thread of this process for as long. */
async function reading(pipe: string, { server, signal }: Watched): Promise<FileHandle> {
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

/** Keys by database; undefined while it loads. */
export async function keysOf(endpoint: Endpoint): Promise<Map<number, number> | undefined> {
  await using node = await connect(endpoint);
  const info = parseInfo(String(await node.call('INFO')));
  if (info['loading'] !== '0') return undefined;
  return new Map(keyspaceOf(info).map(({ database, keys }) => [database, keys]));
}
