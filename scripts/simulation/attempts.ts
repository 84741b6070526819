import { parseDeployment } from '../../model/deployment-file.js';
import type { Deployment } from '../../model/deployment.js';
import { RolloutError } from '../../model/failures.js';
import type { Activities, NodePlace, Order } from '../../model/work.js';
import { SimulatedCluster, type SimulatedNode } from './cluster.js';
import { Faults, type Fault, type FaultLevel } from './faults.js';
import type { Violation } from './invariants.js';
import { Random, seedFor } from './random.js';

export const FROM = '5.0.6';
export const TO = '8.0.6';

export interface SimulationOptions {
  seed: number;
  shards: number;
  /** Of each shard (default 1). */
  replicas?: number;
  faults: FaultLevel;
  parallelShards?: number;
}

export type AtNode = Order & { place: NodePlace };

export const unreachable = (message: string): RolloutError => new RolloutError('Unreachable', message);

/** A simulated cluster, and what befalls each attempt at an act on it; after each, every invariant is looked at. */
export class Attempts {
  readonly deployment: Deployment;
  readonly cluster: SimulatedCluster;
  readonly violations: Violation[] = [];
  /** Acts so far, attempts included. */
  steps = 0;
  readonly #seed: number;
  readonly #faults: Faults;
  readonly #random: Random;
  /** Operations so far: a run's id is new each time, and what is drawn from a seed must be the same. */
  readonly #operations: string[] = [];
  #step = 'before the first act';
  constructor(name: string, { seed, shards, replicas = 1, faults, parallelShards = 1 }: SimulationOptions) {
    this.deployment = parseDeployment(
      `name: ${name}
topology: cluster
seeds: ["10.0.1.0:6379"]
platform: { kind: process }
backup: { directory: /backups }
policy: { canarySoak: 1m, soak: 2m, validation: { measure: 0s }, parallelShards: ${parallelShards} }`,
      `${name}.yaml`,
    );
    this.#seed = seed;
    this.#faults = new Faults(seed, faults);
    this.#random = new Random(seedFor(seed, name));
    this.cluster = new SimulatedCluster({ shards, replicas, release: FROM }, this.#random, (invariant, found) =>
      this.tell(invariant, found),
    );
  }

  /** A violation with all that reproduces it. */
  tell(invariant: string, found: string): void {
    const { deployment, violations } = this;
    violations.push({ seed: this.#seed, deployment: deployment.name, step: this.#step, invariant, found });
  }

  /** One attempt at one act: what goes wrong with it, time that passes, the act, and the invariants after it. */
  // A throw is a rejection, as of any activity.
  // eslint-disable-next-line @typescript-eslint/require-await
  async act<Result>(
    name: keyof Activities,
    { operation }: Order,
    what: string,
    shardName: string | undefined,
    body: (fault: Fault) => Result,
  ): Promise<Result> {
    this.#step = `${++this.steps} ${name} ${what}`;
    const shard = shardName === undefined ? undefined : this.cluster.shard(shardName);
    if (!this.#operations.includes(operation)) this.#operations.push(operation);
    const fault = this.#faults.of(name, `${this.#operations.indexOf(operation)} ${name} ${what}`);
    try {
      if (shard) this.cluster.pass(shard, this.#random.between(5, 500));
      if (fault.kind === 'keeps failing' || (fault.kind === 'fails first' && fault.times-- > 0))
        throw unreachable(`${what} does not answer`);
      const result = body(fault);
      if (fault.kind === 'reply lost' && fault.times > 0) {
        fault.times = 0;
        throw new RolloutError('Unreachable', `the worker died before it could tell of ${name} ${what}`);
      }
      return result;
    } finally {
      for (const it of shard ? [shard] : this.cluster.shards) this.cluster.check(it);
    }
  }

  atNode<Result>(
    name: keyof Activities,
    input: AtNode,
    body: (node: SimulatedNode, fault: Fault) => Result,
  ): Promise<Result> {
    const node = this.cluster.node(input.place.address);
    return this.act(name, input, node.address, node.shard, (fault) => {
      this.#disturb(node, fault);
      return body(node, fault);
    });
  }

  /** Somebody or something else changes the shard just before the act. */
  #disturb(node: SimulatedNode, fault: Fault): void {
    if (fault.times === 0) return;
    const shard = this.cluster.shard(node.shard);
    const primary = this.cluster.primaryOf(shard);
    const soon = this.#random.between(1000, 20_000);
    switch (fault.kind) {
      case 'node crashes':
        this.cluster.crash(node, soon);
        break;
      case 'primary crashes':
        if (primary) this.cluster.crash(primary, soon);
        break;
      case 'failover by somebody': {
        const able = shard.nodes.find(
          (it) => it.up && it.role === 'replica' && it.link === 'up' && it.busyMs === 0 && !it.noFailover,
        );
        if (able) this.cluster.handOver(shard, able);
        break;
      }
      default:
        return;
    }
    fault.times = 0;
  }
}
