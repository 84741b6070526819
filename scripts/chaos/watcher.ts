import { setTimeout as sleep } from 'node:timers/promises';
import { RolloutError } from '../../model/failures.js';
import { parseClusterNodes } from '../../redis/cluster-nodes.js';
import { addressOf, at, connect, type Endpoint, type NodeConnection } from '../../redis/connection.js';
import { parseInfo, releaseFromInfo } from '../../redis/info.js';
import { noFailover } from '../../redis/node.js';
import type { NodeSample, Sample } from './recording.js';

const EVERY_MS = 150;
const PATIENCE_MS = 1000;

/** Looks at every node from outside, all the while, on connections of its own. */
export class Watcher {
  readonly samples: Sample[] = [];
  readonly #connections = new Map<string, NodeConnection>();
  readonly #last = new Map<string, NodeSample>();
  #stopping = false;
  readonly #watching: Promise<void>;

  constructor(
    readonly endpoint: Endpoint,
    readonly addresses: readonly string[],
  ) {
    this.#watching = this.#watch();
  }

  /** One more look, and the end. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#watching;
    await this.#look();
    for (const connection of this.#connections.values()) connection.close();
  }

  async #watch(): Promise<void> {
    while (!this.#stopping) {
      const begun = performance.now();
      await this.#look();
      await sleep(Math.max(10, EVERY_MS - (performance.now() - begun)));
    }
  }

  async #look(): Promise<void> {
    const nodes = await Promise.all(this.addresses.map((address) => this.#read(address)));
    // Now, not when the first was asked: what happened since may show in it.
    this.samples.push({ at: Date.now(), nodes });
  }

  async #read(address: string): Promise<NodeSample> {
    const isOld = this.#connections.has(address);
    try {
      return await this.#ask(address);
    } catch (error) {
      this.#connections.get(address)?.close();
      this.#connections.delete(address);
      // A connection that broke says little: the next one says whether anybody listens.
      if (isOld) return this.#read(address);
      return { ...(this.#last.get(address) ?? unknown(address)), state: isGone(error) ? 'gone' : 'silent' };
    }
  }

  async #ask(address: string): Promise<NodeSample> {
    const connection = await this.#connect(address);
    const replies = await connection.pipeline([['INFO'], ['CLUSTER', 'NODES'], ['CONFIG', 'GET', noFailover]]);
    const [info, nodes, protection] = replies;
    for (const reply of replies) if (reply instanceof Error) throw reply;
    const sample = sampleOf(address, String(info), String(nodes), protection as string[]);
    this.#last.set(address, sample);
    return sample;
  }

  async #connect(address: string): Promise<NodeConnection> {
    const known = this.#connections.get(address);
    if (known) return known;
    const connection = await connect(at(this.endpoint, address), { timeoutMs: PATIENCE_MS });
    this.#connections.set(address, connection);
    return connection;
  }
}

const isGone = (error: unknown): boolean =>
  error instanceof RolloutError && error.type === 'Unreachable' && /ECONNREFUSED/.test(error.message);

const unknown = (address: string): NodeSample => ({
  address,
  state: 'silent',
  release: '',
  runId: '',
  role: 'replica',
  slots: 0,
  linkUp: false,
  loading: false,
  syncing: false,
  offset: 0,
  promotable: false,
  owners: [],
});

function sampleOf(address: string, infoText: string, nodes: string, protection: string[]): NodeSample {
  const info = parseInfo(infoText);
  const peers = parseClusterNodes(nodes, '127.0.0.1');
  const own = peers.find(({ myself }) => myself);
  const isReplica = info['role'] === 'slave';
  return {
    address,
    state: 'answers',
    release: releaseFromInfo(info),
    runId: info['run_id'] ?? '',
    role: isReplica ? 'replica' : 'primary',
    slots: (own?.slots ?? []).reduce((sum, [from, to]) => sum + to - from + 1, 0),
    ...(isReplica
      ? { primary: addressOf({ host: info['master_host'] ?? '', port: Number(info['master_port'] ?? 0) }) }
      : {}),
    linkUp: info['master_link_status'] === 'up',
    loading: info['loading'] === '1',
    syncing: info['master_sync_in_progress'] === '1',
    offset: Number(info[isReplica ? 'slave_repl_offset' : 'master_repl_offset'] ?? 0),
    promotable: protection[1] !== 'yes',
    owners: peers.filter(({ role, slots }) => role === 'primary' && slots.length > 0).map((peer) => peer.address),
  };
}
