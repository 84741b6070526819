import { randomBytes } from 'node:crypto';
import { access, constants, mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ScratchShard } from '../model/drill-part.js';
import { RolloutError } from '../model/failures.js';
import { atLeast } from '../model/release.js';
import type { SlotRange } from '../model/topology.js';
import { clusterFiles } from '../redis/cluster-files.js';
import { parseClusterNodes } from '../redis/cluster-nodes.js';
import { at, connect, type Endpoint, type NodeConnection } from '../redis/connection.js';
import { parseInfo } from '../redis/info.js';
import { scratchHome, withoutRoom } from './scratch-home.js';
import { freeClusterPort, ScratchProcess } from './scratch-process.js';

/** Longest that the nodes may take to see each other, ms. */
const FORMED_MS = 60_000;
const MEMORY = '/dev/shm';

/** Where the nodes' folders lie, and whether there are replicas: one of before 6.0 writes what its primary sends into a file first. */
export async function scratchPlace(release: string): Promise<{ parent: string; replicas: boolean; byFile: boolean }> {
  const inMemory = await access(MEMORY, constants.W_OK).then(
    () => true,
    () => false,
  );
  const byFile = !atLeast(release, 6, 0);
  return { parent: inMemory ? MEMORY : tmpdir(), replicas: inMemory || !byFile, byFile };
}

export interface ScratchNode {
  shard: string;
  role: 'primary' | 'replica';
  address: string;
  home: string;
}

export interface ScratchClusterOptions {
  /** Path of the server, and what it is. */
  program: string;
  release: string;
  shards: readonly ScratchShard[];
  /** cluster-node-timeout, ms. */
  nodeTimeout: number;
  signal: AbortSignal;
}

/**
 * A cluster of this machine that is thrown away: a primary a shard, and a replica where that has data, on loopback, with a password of its own.
 * Nothing of its data comes to a disk, and it ends with this process, however that ends.
 */
export class ScratchCluster implements AsyncDisposable {
  readonly #running = new Map<string, ScratchProcess>();
  /** Holds the password. */
  readonly endpoint: Endpoint;

  private constructor(
    readonly nodes: readonly ScratchNode[],
    private readonly home: string,
    private readonly options: ScratchClusterOptions,
    private readonly password: string,
  ) {
    const [first = ''] = this.addresses;
    this.endpoint = at({ host: '', port: 0, password }, first);
  }

  /** @throws RolloutError StartFailed, with the end of a node's log; NoSpace */
  static async start(options: ScratchClusterOptions): Promise<ScratchCluster> {
    const { shards, release } = options;
    const { parent, replicas } = await scratchPlace(release);
    const home = await scratchHome(parent);
    const nodes: (ScratchNode & { port: number; slots: readonly SlotRange[]; replicaOf?: number })[] = [];
    const add = async (shard: string, slots: readonly SlotRange[], replicaOf?: number): Promise<number> => {
      const port = await freeClusterPort(new Set(nodes.map((it) => it.port)));
      const role = replicaOf === undefined ? 'primary' : 'replica';
      const node = { shard, role, port, slots, address: `127.0.0.1:${port}`, home: join(home, String(port)) } as const;
      nodes.push({ ...node, ...(replicaOf === undefined ? {} : { replicaOf }) });
      return port;
    };
    for (const { shard, slots, alone } of shards) {
      const primary = await add(shard, slots);
      if (replicas && !alone) await add(shard, slots, primary);
    }
    const files = clusterFiles(nodes, release);
    const cluster = new ScratchCluster(nodes, home, options, randomBytes(16).toString('hex'));
    try {
      for (const [i, node] of nodes.entries()) {
        await mkdir(node.home, { mode: 0o700 });
        await writeFile(join(node.home, 'nodes.conf'), files[i] ?? '');
      }
      await Promise.all(nodes.map((node) => cluster.begin(node)));
      await cluster.formed();
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw withoutRoom(error, home);
    }
  }

  get addresses(): string[] {
    return this.nodes.map(({ address }) => address);
  }

  connect(address: string): Promise<NodeConnection> {
    return connect(at(this.endpoint, address));
  }

  /** Empty, with what it last knew of the cluster. */
  async begin({ address, home }: ScratchNode): Promise<void> {
    const { program, release, nodeTimeout } = this.options;
    await rm(join(home, 'dump.rdb'), { force: true });
    const lines = [
      ...[`port ${address.split(':')[1] ?? ''}`, 'bind 127.0.0.1'],
      ...[`requirepass ${this.password}`, `masterauth ${this.password}`],
      ...['save ""', 'appendonly no', 'repl-diskless-sync yes', 'repl-diskless-sync-delay 0'],
      ...(atLeast(release, 6, 0) ? ['repl-diskless-load on-empty-db'] : []),
      ...['cluster-enabled yes', `cluster-node-timeout ${nodeTimeout}`],
    ];
    this.#running.set(address, await ScratchProcess.start({ program, home, lines }));
  }

  /** By SIGKILL. */
  async kill({ address }: ScratchNode): Promise<void> {
    await this.#running.get(address)?.end();
    this.#running.delete(address);
  }

  /** Returns once every node that runs sees all slots served, and every replica is linked. */
  async formed(): Promise<void> {
    await this.until(FORMED_MS, 'every node sees all slots served, and every replica is linked', async (nodes) => {
      const infos = await Promise.all(
        nodes.map(async (node) => ({
          ...parseInfo(String(await node.call('INFO', 'replication'))),
          ...parseInfo(String(await node.call('CLUSTER', 'INFO'))),
        })),
      );
      return infos.every(
        (info: Record<string, string>) =>
          info['cluster_state'] === 'ok' && (info['role'] === 'master' || info['master_link_status'] === 'up'),
      );
    });
  }

  /**
   * Asks until it holds; a node that does not answer is asked again.
   *
   * @returns how long that took, ms
   * @throws RolloutError StartFailed, with the end of its log, where a node has ended; Degraded at the deadline
   */
  async until(
    timeoutMs: number,
    what: string,
    holds: (nodes: readonly NodeConnection[]) => Promise<boolean>,
  ): Promise<number> {
    const begun = performance.now();
    for (;;) {
      this.options.signal.throwIfAborted();
      for (const [address, server] of this.#running)
        if (!server.alive) throw await server.failed(`(${address}) has ended`);
      if (await this.#holds(holds)) return Math.round(performance.now() - begun);
      if (performance.now() - begun > timeoutMs)
        throw new RolloutError('Degraded', `the scratch cluster: not within ${timeoutMs} ms: ${what}`);
      await sleep(25);
    }
  }

  async #holds(holds: (nodes: readonly NodeConnection[]) => Promise<boolean>): Promise<boolean> {
    const nodes: NodeConnection[] = [];
    try {
      for (const address of this.#running.keys()) nodes.push(await this.connect(address));
      return await holds(nodes);
    } catch (error) {
      if (error instanceof RolloutError && error.retryable) return false;
      throw error;
    } finally {
      for (const node of nodes) node.close();
    }
  }

  /** Who is primary of a shard's slots now, as one of the others sees it. */
  async primaryOf(shard: string): Promise<ScratchNode | undefined> {
    const asked = this.nodes.find((it) => it.shard !== shard && this.#running.has(it.address));
    if (!asked) return undefined;
    await using node = await this.connect(asked.address);
    const serving = parseClusterNodes(String(await node.call('CLUSTER', 'NODES')), '127.0.0.1')
      .filter(({ slots, health }) => slots.length > 0 && health !== 'fail')
      .map(({ address }) => address);
    return this.nodes.find((it) => it.shard === shard && serving.includes(it.address));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#running.values()].map((server) => server.end()));
    await rm(this.home, { recursive: true, force: true });
  }
}
