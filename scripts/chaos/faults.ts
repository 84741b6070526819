import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DeploymentFile } from '../../model/deployment.js';
import type { TimelineEntry } from '../../model/operation.js';
import { findServers, newestFor } from '../../platforms/process/servers.js';
import { until, type Sandbox, type SandboxNode } from '../sandbox/cluster.js';
import type { Operation } from '../sandbox/operation.js';
import type { Stage } from '../sandbox/stage.js';
import type { WorkerFault } from '../sandbox/worker-faults.js';
import { momentIn } from './moments.js';
import { heirs, quiesce, shardOf, slowDown, targetOf } from './nodes.js';
import type { ChaosEvent, NodeSample } from './recording.js';
import { faultText, type Fault, type Moment, type Scenario } from './scenario.js';
import type { Watcher } from './watcher.js';

type Timed = Extract<Fault, { at: Moment }>;

/** Makes the faults of a scenario happen, each when its moment has come, and knows what it did. */
export class Faults {
  readonly events: ChaosEvent[] = [];
  /** What happened, in words. */
  readonly told: string[] = [];
  #left: Timed[];
  readonly #running = new Set<Promise<void>>();

  constructor(
    readonly scenario: Scenario,
    readonly stage: Stage,
    readonly cluster: Sandbox,
    readonly watcher: Watcher,
  ) {
    this.#left = scenario.faults.filter((fault): fault is Timed => 'at' in fault);
  }

  /** Those that are there from the start: what befalls the worker, and a server that fails. */
  async arm(): Promise<Partial<Pick<DeploymentFile, 'platform'>>> {
    const worker = this.scenario.faults.flatMap((fault): WorkerFault[] => {
      if (fault.kind !== 'worker killed' && fault.kind !== 'worker hung') return [];
      const { activity, when, node, touch } = fault;
      const address = node === undefined ? undefined : this.cluster.nodes[node]?.address;
      const kind = fault.kind === 'worker killed' ? 'kill' : 'hang';
      return [{ activity, when, kind, at: touch, ...(address === undefined ? {} : { node: address }) }];
    });
    await this.stage.faults.draw(...worker);
    const fails = this.scenario.faults.find((fault) => fault.kind === 'new version fails once');
    return fails?.kind === 'new version fails once' ? { platform: await this.#failingServer(fails.nth) } : {};
  }

  /** @param timelines of all starts so far; the last is that of `operation` */
  seen(operation: Operation, timelines: readonly TimelineEntry[][]): void {
    for (const fault of [...this.#left]) {
      const entry = momentIn(fault.at, timelines);
      if (!entry) continue;
      this.#left = this.#left.filter((it) => it !== fault);
      const run = this.#carryOut(fault, entry, operation)
        .catch((error: unknown) => this.#tell(fault, `did not succeed: ${String(error)}`))
        .finally(() => this.#running.delete(run));
      this.#running.add(run);
    }
  }

  /** Waits until every fault that began is over. */
  async over(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  get underWay(): boolean {
    return this.#running.size > 0;
  }

  /** Faults whose moment did not come. */
  async missed(): Promise<string[]> {
    const worker = await this.stage.faults.unfired();
    const starts = await readdir(this.#starts).catch(() => []);
    const armed = this.scenario.faults.filter(
      (fault) =>
        (fault.kind === 'new version fails once' && starts.length < fault.nth) ||
        ((fault.kind === 'worker killed' || fault.kind === 'worker hung') &&
          worker.some(({ activity, when }) => activity === fault.activity && when === fault.when)),
    );
    return [...this.#left, ...armed].map(faultText);
  }

  /** One folder for each start of the server that fails once. */
  get #starts(): string {
    return join(this.stage.root, 'starts');
  }

  #tell(fault: Fault, what: string): void {
    this.told.push(`${new Date().toISOString()} ${faultText(fault)}: ${what}`);
  }

  #event(kind: ChaosEvent['kind'], nodes: readonly string[]): void {
    this.events.push({ at: Date.now(), kind, nodes: [...nodes] });
  }

  async #carryOut(fault: Timed, entry: TimelineEntry, operation: Operation): Promise<void> {
    switch (fault.kind) {
      case 'Temporal restarted':
        this.#tell(fault, 'restarting');
        await this.stage.restartTemporal();
        return;
      case 'pause':
        this.#tell(fault, JSON.stringify(await operation.tell('pause', { by: 'olu', reason: 'chaos' })));
        await sleep(fault.forMs);
        this.#tell(fault, JSON.stringify(await operation.tell('resume', { by: 'olu' })));
        return;
      case 'abort':
        this.#tell(fault, JSON.stringify(await operation.tell('abort', { by: 'olu', reason: 'chaos' })));
        return;
      case 'failover by somebody else':
        return this.#failOver(fault, entry.node ?? '');
      default: {
        const sample = this.watcher.samples.at(-1);
        const target = sample && targetOf(fault.who, entry.node ?? '', sample);
        if (target) await this.#befall(fault, target, shardOf(sample, target.address));
        else this.#tell(fault, 'nobody such was there');
      }
    }
  }

  async #befall(
    fault: Extract<Timed, { who: unknown }>,
    target: NodeSample,
    shard: readonly NodeSample[],
  ): Promise<void> {
    const node = this.#nodeOf(target.address);
    const serves = target.role === 'primary' && target.slots > 0;
    this.#tell(fault, `${target.address}, a ${target.role} of ${target.release}`);
    if (fault.kind === 'node slow') {
      this.#event('down', [node.address]);
      await slowDown(this.cluster, node, fault.forMs);
      this.#event('up', [node.address]);
      return;
    }
    const heir = heirs(shard);
    const keepsData = this.scenario.persistence === 'appendonly';
    if (serves && fault.kind === 'node killed' && heir.length === 0 && !keepsData) {
      this.#tell(fault, 'spared: it holds the only copy that could serve');
      return;
    }
    if (serves) {
      const followers = shard.filter((it) => it.role === 'replica' && it.state === 'answers' && it.linkUp);
      const ms = fault.kind === 'node killed' ? 5000 : fault.forMs + 3000;
      await quiesce(
        this.cluster,
        node,
        followers.map((it) => this.#nodeOf(it.address)),
        ms,
      );
    }
    this.#event('down', serves ? shard.map(({ address }) => address) : [node.address]);
    if (serves)
      this.#event(
        'roles',
        shard.map(({ address }) => address),
      );
    if (fault.kind === 'node hung') {
      await this.cluster.signal(node, 'SIGSTOP');
      await sleep(fault.forMs);
      await this.cluster.signal(node, 'SIGCONT');
    } else {
      await this.cluster.kill(node);
      await sleep(fault.awayMs);
      // Without a dataset on disk it would come back empty, still the primary, and empty its replicas.
      if (serves && !keepsData) await this.#someoneElseServes(node.address, heir);
      await this.cluster.start(node);
    }
    this.#event('up', serves ? shard.map(({ address }) => address) : [node.address]);
  }

  #someoneElseServes(address: string, heir: readonly NodeSample[]): Promise<void> {
    return until(
      `${heir.map((it) => it.address).join(' or ')} serves in the place of ${address}`,
      () =>
        this.watcher.samples
          .at(-1)
          ?.nodes.some(
            (it) => heir.some((one) => one.address === it.address) && it.role === 'primary' && it.slots > 0,
          ) === true,
      90_000,
    );
  }

  async #failOver(fault: Fault, inHand: string): Promise<void> {
    const sample = this.watcher.samples.at(-1);
    const shard = sample ? shardOf(sample, inHand) : [];
    const [heir] = heirs(shard);
    if (!heir) {
      this.#tell(fault, 'no replica could take over');
      return;
    }
    this.#event(
      'roles',
      shard.map(({ address }) => address),
    );
    await using connection = await this.cluster.connect(this.#nodeOf(heir.address));
    this.#tell(fault, `CLUSTER FAILOVER at ${heir.address}: ${String(await connection.call('CLUSTER', 'FAILOVER'))}`);
  }

  #nodeOf(address: string): SandboxNode {
    const node = this.cluster.nodes.find((it) => it.address === address);
    if (!node) throw new Error(`${address} is no node of the sandbox`);
    return node;
  }

  /** In the place of the new version's server: its nth start ends at once. Each start takes the next number. */
  async #failingServer(nth: number): Promise<DeploymentFile['platform']> {
    const servers = await findServers();
    const release = newestFor(servers.keys(), this.scenario.to);
    const server = release === undefined ? undefined : servers.get(release);
    if (release === undefined || server === undefined) throw new Error(`no server of ${this.scenario.to} here`);
    const starts = this.#starts;
    await mkdir(starts);
    const program = join(this.stage.root, 'server-that-fails-once');
    const lines = [
      '#!/bin/sh',
      'n=1',
      `while ! mkdir "${starts}/$n" 2> /dev/null; do n=$((n + 1)); done`,
      `if [ $n -eq ${nth} ]; then echo "chaos: this start fails" >&2; exit 1; fi`,
      `exec "${server}" "$@"`,
    ];
    await writeFile(program, `${lines.join('\n')}\n`);
    await chmod(program, 0o755);
    return { kind: 'process', servers: { [release]: program } };
  }
}
