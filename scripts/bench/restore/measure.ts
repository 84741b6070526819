import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { access } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { loadSnapshot } from '../../../redis/restore/load.js';
import { RdbReader } from '../../../redis/rdb/reader.js';
import { encode, type Command } from '../../../redis/resp.js';
import { pullSnapshot } from '../../../redis/snapshot.js';
import { readTopology } from '../../../redis/topology.js';
import { Sandbox, until, type SandboxNode } from '../../sandbox/cluster.js';
import { holding } from '../bench.js';
import { end, infoOf, serverOf, startByHand } from '../by-hand.js';

export interface Row {
  method: 'restore' | 'pipe' | 'native';
  keys: number;
  ms: number;
  keysPerSecond: number;
  /** Of this process, µs a key; of the others it is not known. */
  processorMicros?: number;
}

interface Input {
  release: string;
  keys: number;
  valueBytes: number;
  runs: number;
  tell: (line: string) => void;
}

/** Fills a cluster, takes its snapshots, and loads them into another in three ways, in turns. */
export async function measure({ release, keys, valueBytes, runs, tell }: Input, rows: Row[]): Promise<void> {
  const program = await serverOf(release);
  const cli = join(dirname(program), 'redis-cli');
  await access(cli).catch(() => {
    throw new Error(`there is no redis-cli beside ${program}`);
  });
  const three = { release, primaries: 3, replicasEach: 0 };
  await using held = await holding(() => Sandbox.cluster(three));
  const full = held.resource;
  tell(`filling 3 shards with ${keys.toLocaleString('en')} keys`);
  await fill(full, keys, valueBytes);
  await using holdingEmpty = await holding(() => Sandbox.cluster(three));
  const empty = holdingEmpty.resource;
  const snapshots = await Promise.all(
    full.nodes.map((node) => pullSnapshot({ from: full.endpoint(node), file: join(full.root, `${node.port}.rdb`) })),
  );
  const files = snapshots.map(({ file }) => file);
  const commands = await Promise.all(files.map(commandsOf));
  const note = (method: Row['method'], ms: number, processorMs?: number): void => {
    const row: Row = { method, keys, ms: Math.round(ms), keysPerSecond: Math.round((keys / ms) * 1000) };
    if (processorMs !== undefined) row.processorMicros = Math.round((processorMs / keys) * 10_000) / 10;
    rows.push(row);
    tell(`${method}: ${row.keysPerSecond.toLocaleString('en')} keys/s`);
  };
  for (let run = 0; run < runs; run++) {
    const methods = {
      restore: async () => {
        const { user, system } = process.cpuUsage();
        const ms = await timed(() => Promise.all(files.map((file) => load(file, empty))));
        const after = process.cpuUsage();
        note('restore', ms, (after.user + after.system - user - system) / 1000);
      },
      pipe: async () =>
        note('pipe', await timed(() => Promise.all(empty.nodes.map((node, i) => pipe(cli, node, commands[i] ?? ''))))),
      native: async () => note('native', await reload(full, program)),
    };
    const names = ['restore', 'pipe', 'native'] as const;
    for (const [i] of names.entries()) {
      const name = names[(i + run) % names.length] ?? 'restore';
      await methods[name]();
      if (name === 'native') continue;
      await expectAll(empty, keys);
      for (const { address } of empty.nodes) await empty.ask(address, 'FLUSHALL');
    }
  }
}

const load = (file: string, cluster: Sandbox): Promise<unknown> =>
  loadSnapshot({
    source: {
      open: () => createReadStream(file, { highWaterMark: 256 * 1024 }) as AsyncIterable<Buffer>,
      sameOrder: true,
    },
    endpoint: cluster.endpoint(),
    seeds: cluster.nodes.map(({ address }) => address),
    existing: 'replace',
  });

async function timed(act: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await act();
  return performance.now() - begun;
}

async function fill(cluster: Sandbox, keys: number, valueBytes: number): Promise<void> {
  const { shards } = await readTopology(
    cluster.endpoint(),
    cluster.nodes.map(({ address }) => address),
  );
  const value = 'v'.repeat(valueBytes);
  // A tag a shard, so that each gets its third without asking whose slot it is.
  await Promise.all(
    shards.map(async ({ primary }, shard) => {
      const node = cluster.nodes.find(({ address }) => address === primary.address);
      await using connection = await cluster.connect(node, { timeoutMs: 60_000 });
      const { tagsFor } = await import('../../../redis/probe/slot.js');
      const tags = tagsFor(shards[shard]?.slots ?? [], 1000);
      const mine = Math.floor(keys / 3) + (shard < keys % 3 ? 1 : 0);
      for (let from = 0; from < mine; from += 5000)
        await connection.pipeline(
          Array.from({ length: Math.min(5000, mine - from) }, (_, i): [string, string, string] => {
            const n = from + i;
            return ['SET', `{${tags[n % tags.length] ?? ''}}:${n}`, value];
          }),
        );
    }),
  );
}

/** What `redis-cli --pipe` is fed with: made beforehand, which is not counted. */
async function commandsOf(file: string): Promise<string> {
  const path = `${file}.commands`;
  const out = createWriteStream(path);
  const reader = new RdbReader({});
  for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
    const batch: Command[] = [];
    for (const record of reader.read(chunk))
      if (record.kind === 'key' && record.part.type === 'string') batch.push(['SET', record.key, record.part.value]);
    if (batch.length > 0 && !out.write(encode(batch))) await once(out, 'drain');
  }
  out.end();
  await once(out, 'finish');
  return path;
}

async function pipe(cli: string, { port }: SandboxNode, commands: string): Promise<void> {
  const child = spawn(cli, ['-h', '127.0.0.1', '-p', String(port), '--pipe'], { stdio: ['pipe', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (said += data.toString()));
  createReadStream(commands, { highWaterMark: 256 * 1024 }).pipe(child.stdin);
  const [code] = (await once(child, 'close')) as [number];
  if (code !== 0 || !said.includes('errors: 0')) throw new Error(`redis-cli --pipe: ${said.slice(-500)}`);
}

/** From the start of the processes until all have loaded what they saved. */
async function reload(cluster: Sandbox, program: string): Promise<number> {
  await Promise.all(cluster.nodes.map((node) => end(cluster, node, 'SAVE')));
  return timed(() =>
    Promise.all(
      cluster.nodes.map(async (node) => {
        await startByHand(node, program);
        await until(
          `${node.address} has loaded`,
          async () => (await infoOf(cluster, node))['loading'] === '0',
          600_000,
        );
      }),
    ),
  );
}

async function expectAll(cluster: Sandbox, keys: number): Promise<void> {
  const counts = await Promise.all(cluster.nodes.map(({ address }) => cluster.ask(address, 'DBSIZE')));
  const found = counts.reduce<number>((sum, it) => sum + Number(it), 0);
  if (found !== keys) throw new Error(`expected ${keys} keys, found ${found}`);
}
