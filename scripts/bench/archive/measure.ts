import { fork, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { programOf } from '../../../launch/program.mjs';
import type { DeploymentFile } from '../../../model/deployment.js';
import { at, type NodeConnection } from '../../../redis/connection.js';
import { readInfo } from '../../../redis/node.js';
import { Sandbox, until } from '../../sandbox/cluster.js';
import { peakRssBytes } from '../../sandbox/peak-memory.js';
import { S3Server } from '../../sandbox/s3-server.js';
import { document } from '../backup/values.js';
import { holding } from '../bench.js';
import { behindAt, spread, type Written } from './behind.js';
import type { ArchiveInput, Stored } from './archive-process.js';

export interface ArchiveRow {
  /** What was asked for, MB of values a second; and what was written. */
  rate: number;
  writtenRate: number;
  seconds: number;
  /** Of the stream, and of what lies in the bucket; before encryption it is compressed. */
  streamBytes: number;
  storedBytes: number;
  segments: number;
  /** How far what could be recovered was behind the primary, ms: at its worst right before each segment was stored. */
  behindMs: { median: number; p99: number; max: number };
  /** After the last write, until all of it was in the bucket, ms. */
  drainedMs: number;
  /** Of the process that archives, MB. */
  peakMb: number;
}

const MB = 1024 ** 2;
const VALUE_BYTES = 1000;
const LOOK_EVERY_MS = 20;
const WRITE_EVERY_MS = 20;
const archiveProcess = fileURLToPath(new URL('./archive-process.ts', import.meta.url));
const secrets = { accessKeyId: 'env:BENCH_S3_ID', secretAccessKey: 'env:BENCH_S3_SECRET' };

/** One shard that is written to at this rate, archived from its replica into a bucket of this machine. */
export async function measure(
  { release, rate, seconds }: { release: string; rate: number; seconds: number },
  tell: (line: string) => void,
): Promise<ArchiveRow> {
  await using held = await holding(
    () =>
    Sandbox.cluster({ release, primaries: 1, configuration: ['repl-backlog-size 256mb', 'maxmemory-policy allkeys-lru', 'maxmemory 512mb'] }), // prettier-ignore
  );
  await using store = await holding(() => S3Server.start());
  const [cluster, s3] = [held.resource, store.resource];
  const [primary, replica] = cluster.nodes;
  if (!primary || !replica) throw new Error('there are too few nodes');
  const key = join(cluster.root, 'backup.key');
  await writeFile(key, randomBytes(32).toString('hex'), { mode: 0o600 });
  const deployment: DeploymentFile = {
    ...{ name: 'bench', topology: 'cluster', seeds: [replica.address], platform: { kind: 'process' } },
    backup: {
      ...{ directory: cluster.root, encryption: { key: `file:${key}` } },
      target: { kind: 's3', bucket: s3.bucket, endpoint: s3.endpoint, ...secrets },
    },
  };
  const input: ArchiveInput = {
    deployment,
    sources: [{ endpoint: at(cluster.endpoint(), replica.address), role: 'replica', release }],
  };
  const { file, execArgv } = await programOf(archiveProcess);
  const env = { ...process.env, BENCH_S3_ID: s3.accessKeyId, BENCH_S3_SECRET: s3.secretAccessKey };
  const archiving = fork(file, [JSON.stringify(input)], {
    execArgv,
    // As a worker is started (scripts/bootstrap.mjs).
    env: { MALLOC_ARENA_MAX: '1', ...env },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const stored: Stored[] = [];
  archiving.on('message', (message) => stored.push(message as Stored));
  try {
    await using writer = await cluster.connect(primary, { timeoutMs: 60_000 });
    await using looker = await cluster.connect(primary, { timeoutMs: 60_000 });
    await until('it archives', async () => {
      await writer.call('SET', 'begin', String(stored.length));
      if (archiving.exitCode !== null) throw new Error('the archive has ended');
      return stored.length > 1;
    });
    return await underLoad({ writer, looker, archiving, stored, rate, seconds }, tell);
  } finally {
    if (archiving.exitCode === null && archiving.signalCode === null) {
      const gone = once(archiving, 'exit');
      archiving.send('end');
      await gone;
    }
  }
}

interface Load {
  writer: NodeConnection;
  looker: NodeConnection;
  archiving: ChildProcess;
  stored: Stored[];
  rate: number;
  seconds: number;
}

async function underLoad(
  { writer, looker, archiving, stored, rate, seconds }: Load,
  tell: (line: string) => void,
): Promise<ArchiveRow> {
  const written: Written[] = [];
  const look = async (): Promise<number> => {
    // The offset may be a little older than the time: what is told is never too little.
    const asked = Date.now();
    const offset = Number((await readInfo(looker, 'replication'))['master_repl_offset']);
    written.push({ offset, at: asked });
    return offset;
  };
  const from = await look();
  await until('it has everything so far', () => (stored.at(-1)?.end ?? 0) >= from);
  const before = stored.length;
  const over = new AbortController();
  const looks = (async () => {
    while (!over.signal.aborted) {
      await look();
      await sleep(LOOK_EVERY_MS);
    }
  })();
  const begun = performance.now();
  const pool = randomBytes(8 * MB).toString('base64');
  let values = 0;
  for (let ms = 0; ms < seconds * 1000; ms = performance.now() - begun) {
    // By the clock, and not by the answers: a slow primary is not spared.
    const due = Math.floor((ms / 1000) * ((rate * MB) / VALUE_BYTES)) - values;
    const many = Math.min(due, 2000);
    if (many > 0) {
      const commands = Array.from({ length: many }, (_, i): [string, string, string] => [
        ...(['SET', `bench:${(values + i) % 200_000}`, document(values + i, pool)] as const),
      ]);
      for (const reply of await writer.pipeline(commands)) if (reply instanceof Error) throw reply;
      values += many;
    }
    if (due < 2000) await sleep(WRITE_EVERY_MS);
  }
  const tookMs = performance.now() - begun;
  over.abort();
  await looks;
  const end = await look();
  const wrote = Date.now();
  await until('all of it is in the bucket', () => (stored.at(-1)?.end ?? 0) >= end, 120_000);
  const drainedMs = (stored.find((it) => it.end >= end)?.at ?? wrote) - wrote;
  // With what was stored after the last write: a store that takes nothing until then is behind, too.
  const own = stored.slice(before);
  const row: ArchiveRow = {
    ...{ rate, seconds, writtenRate: Math.round(((values * VALUE_BYTES) / MB / tookMs) * 10_000) / 10 },
    ...{ streamBytes: end - from, storedBytes: own.reduce((sum, it) => sum + it.bytes, 0), segments: own.length },
    behindMs: spread(behindAt(written, [{ end: from, at: written[0]?.at ?? 0 }, ...own])),
    ...{ drainedMs: Math.max(0, drainedMs), peakMb: Math.round(peakRssBytes(archiving.pid ?? 0) / MB) },
  };
  tell(`${rate} MB/s: ${row.behindMs.median} ms behind, ${row.behindMs.max} ms at most; ${row.peakMb} MB`);
  return row;
}
