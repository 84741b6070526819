import { fork, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BackupStore } from '../../../integrations/backup-store.js';
import { programOf } from '../../../launch/program.mjs';
import { backupId, manifestOf } from '../../../model/backup-manifest.js';
import { deploymentSchema, type DeploymentFile } from '../../../model/deployment.js';
import { openSnapshot } from '../../../redis/snapshot.js';
import { Sandbox, until, type SandboxNode } from '../../sandbox/cluster.js';
import { peakRssBytes } from '../../sandbox/peak-memory.js';
import { holding } from '../bench.js';
import { serverOf } from '../by-hand.js';
import type { Processor, VerifyDone, VerifyInput } from './verify-process.js';

export const methods = ['rollout', 'dump', 'redis-cli'] as const;

export interface VerifyRow {
  method: (typeof methods)[number];
  keys: number;
  ms: number;
  keysPerSecond: number;
  /** Of the process, µs of processor a key; of redis-cli's two neither is measured. */
  processorMicros?: number;
  peakMb?: number;
}

interface Input {
  release: string;
  keys: number;
  valueBytes: number;
  runs: number;
  tell: (line: string) => void;
}

const MB = 1024 ** 2;
const verifyProcess = fileURLToPath(new URL('./verify-process.ts', import.meta.url));

/** A server, its sealed backup, and another that has loaded the same; compared in each way, in turns. */
export async function measure({ release, keys, valueBytes, runs, tell }: Input, rows: VerifyRow[]): Promise<void> {
  const cli = join(dirname(await serverOf(release)), 'redis-cli');
  await using held = await holding(() => Sandbox.servers(2, { release }));
  const sandbox = held.resource;
  const [source, restored] = sandbox.nodes as [SandboxNode, SandboxNode];
  tell(`filling a server with ${keys.toLocaleString('en')} keys`);
  await fill(sandbox, source, { keys, valueBytes });
  await copyTo(sandbox, source, restored);
  const { deployment, backup } = await seal(sandbox, source);
  const ends = { restored: sandbox.endpoint(restored) };
  const run: Record<VerifyRow['method'], () => Promise<Omit<VerifyRow, 'method' | 'keys' | 'keysPerSecond'>>> = {
    rollout: () => inProcess({ method: 'rollout', ...ends, deployment, backup }, keys),
    dump: () => inProcess({ method: 'dump', ...ends, source: sandbox.endpoint(source) }, keys),
    'redis-cli': () => byCli(cli, sandbox, [source, restored], keys),
  };
  for (let turn = 0; turn < runs; turn++)
    for (const [i] of methods.entries()) {
      const method = methods[(i + turn) % methods.length] ?? 'rollout';
      const found = await run[method]();
      const row: VerifyRow = { method, keys, ...found, keysPerSecond: Math.round((keys / found.ms) * 1000) };
      rows.push(row);
      tell(`${method}: ${row.keysPerSecond.toLocaleString('en')} keys/s`);
    }
}

/** Nine of ten are small strings, one a hash of eight fields; every fifth expires in a day. */
async function fill(
  sandbox: Sandbox,
  node: SandboxNode,
  { keys, valueBytes }: { keys: number; valueBytes: number },
): Promise<void> {
  await using connection = await sandbox.connect(node, { timeoutMs: 60_000 });
  const value = 'v'.repeat(valueBytes);
  const fields = Array.from({ length: 8 }, (_, i) => [`field-${i}`, value]).flat();
  for (let from = 0; from < keys; from += 5000) {
    const some = Array.from({ length: Math.min(5000, keys - from) }, (_, i) => from + i);
    const commands = some.map((n): [string, ...string[]] =>
      n % 10 === 0 ? ['HSET', `user:${n}`, ...fields] : ['SET', `user:${n}`, `${value}${n}`],
    );
    const expiries = some
      .filter((n) => n % 5 === 1)
      .map((n): [string, ...string[]] => ['EXPIRE', `user:${n}`, '86400']);
    for (const reply of await connection.pipeline([...commands, ...expiries])) if (reply instanceof Error) throw reply;
  }
}

async function copyTo(sandbox: Sandbox, from: SandboxNode, to: SandboxNode): Promise<void> {
  await using node = await sandbox.connect(to);
  await node.call('REPLICAOF', '127.0.0.1', from.port);
  const linked = async (): Promise<boolean> =>
    String(await node.call('INFO', 'replication')).includes('link_status:up');
  await until('the copy is there', linked, 600_000);
  await node.call('REPLICAOF', 'NO', 'ONE');
}

async function seal(sandbox: Sandbox, node: SandboxNode): Promise<{ deployment: DeploymentFile; backup: string }> {
  const key = join(sandbox.root, 'backup.key');
  await writeFile(key, randomBytes(32).toString('hex'), { mode: 0o600 });
  const deployment: DeploymentFile = {
    ...{ name: 'bench', topology: 'cluster', seeds: [node.address], platform: { kind: 'process' } },
    backup: { directory: sandbox.root, encryption: { key: `file:${key}` } },
  };
  const store = await BackupStore.open(deploymentSchema.parse(deployment));
  const keys = await store.keys();
  const startedAt = new Date().toISOString();
  const backup = backupId(startedAt, randomBytes(4).toString('hex'));
  await using snapshot = await openSnapshot({ from: sandbox.endpoint(node) });
  const { object, ...sealed } = await store.putShard({ backup, shard: 'shard-1', keys }, snapshot.chunks());
  const { summary, sha256 } = snapshot.whole();
  const { keys: count, expires, databases, functions, rdbVersion, bytes } = summary;
  const endedAt = new Date().toISOString();
  const about = { deployment: 'bench', backup, startedBy: 'bench', startedAt, endedAt };
  await store.putManifest(
    manifestOf(about, [
      {
        ...{ shard: 'shard-1', slots: [[0, 16383]], object, node: node.address, role: 'primary', rdbVersion },
        ...{ keys: count, expires, databases, functions, replid: snapshot.replid, offset: snapshot.offset },
        ...{ rdb: { bytes, sha256 }, sealed, compression: 'gzip', key: keys.id, cutAt: startedAt, endedAt },
      },
    ]),
  );
  return { deployment, backup };
}

async function inProcess(
  input: VerifyInput,
  keys: number,
): Promise<Required<Pick<VerifyRow, 'ms' | 'peakMb' | 'processorMicros'>>> {
  const { file, execArgv } = await programOf(verifyProcess);
  const running = fork(file, [JSON.stringify(input)], {
    execArgv,
    // As a worker is started (scripts/bootstrap.mjs).
    env: { ...process.env, MALLOC_ARENA_MAX: '1' },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const said = async (): Promise<unknown> => {
    const [first] = (await Promise.race([once(running, 'message'), once(running, 'exit')])) as [unknown];
    if (typeof first === 'number' || first === null) throw new Error(`the comparison ended with ${String(first)}`);
    return first;
  };
  await said();
  const begun = performance.now();
  running.send('go');
  const { compared, different, processorMs } = (await said()) as VerifyDone & Processor;
  const ms = Math.round(performance.now() - begun);
  const peakMb = Math.round(peakRssBytes(running.pid ?? 0) / MB);
  const gone = once(running, 'exit');
  running.send('end');
  await gone;
  if (compared !== keys || different !== 0)
    throw new Error(`expected ${keys} keys that are the same, found ${compared}, of which ${different} differ`);
  return { ms, peakMb, processorMicros: Math.round((processorMs / keys) * 10_000) / 10 };
}

/** Names from --scan, then DUMP of each from both, side by side, and cmp. */
async function byCli(
  cli: string,
  sandbox: Sandbox,
  [source, restored]: [SandboxNode, SandboxNode],
  keys: number,
): Promise<{ ms: number }> {
  const ask = ({ port }: SandboxNode): string => `'${cli}' -h 127.0.0.1 -p ${port} --no-raw`;
  const line = [
    `set -e; cd '${sandbox.root}'`,
    `${ask(source)} --raw --scan | sed 's/^/DUMP /' > commands`,
    `${ask(source)} < commands > a & ${ask(restored)} < commands > b; wait`,
    `cmp a b; wc -l < a; rm a b commands`,
  ].join('\n');
  const begun = performance.now();
  const running = spawn('bash', ['-c', line], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  running.stdout.on('data', (data: Buffer) => (said += data.toString()));
  const [code] = (await once(running, 'close')) as [number | null];
  const ms = Math.round(performance.now() - begun);
  if (code !== 0 || Number(said) !== keys) throw new Error(`redis-cli: ${said} of ${keys} lines, exit code ${code}`);
  return { ms };
}
