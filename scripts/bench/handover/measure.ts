import { setTimeout as sleep } from 'node:timers/promises';
import type { ShardView } from '../../../model/topology.js';
import { at, connect } from '../../../redis/connection.js';
import { tagsFor } from '../../../redis/probe/slot.js';
import { readTopology } from '../../../redis/topology.js';
import { Sandbox } from '../../sandbox/cluster.js';
import type { Stage } from '../../sandbox/stage.js';
import { holding } from '../bench.js';
import type { ClientName } from './clients.js';
import { prepare, roll, type Method } from './methods.js';
import { sampleOf, type Sample } from './rows.js';
import { Writer } from './writer.js';

export interface MeasureInput {
  method: Method;
  clients: readonly ClientName[];
  from: string;
  to: string;
  perSecond: number;
  /** How long is written before anything is done, ms. */
  quietMs: number;
  /** Of the run, unique within the stage. */
  name: string;
}

/**
 * Upgrades one shard of a new 3+3 cluster by one method, or takes it back, while every client writes to that shard, and looks for each
 * acknowledged write afterwards.
 */
export async function measure(stage: Stage, input: MeasureInput): Promise<Sample[]> {
  const { method, from, to, quietMs } = input;
  // A node that is ended by SIGTERM saves only where it has a save point, as an installation of any worth has.
  await using held = await holding(() => Sandbox.cluster({ release: from, configuration: ['save 3600 1'] }));
  const cluster = held.resource;
  const shard = await firstShard(cluster);
  const [primary, replica] = [shard.primary, shard.replicas[0]].map((view) =>
    cluster.nodes.find((node) => node.address === view?.address),
  );
  if (!primary || !replica) throw new Error('expected a cluster whose shards have a replica');
  const [tag = ''] = tagsFor(shard.slots, 1);
  const ports = cluster.nodes.map((node) => node.port);
  const what = { cluster, primary, replica, to, name: input.name, shard: shard.name };
  await prepare(method, stage, what);
  const writers: Writer[] = [];
  try {
    for (const client of input.clients)
      writers.push(
        await Writer.start({ client, ports, prefix: `bench:{${tag}}:${client}`, perSecond: input.perSecond }),
      );
    await sleep(quietMs);
    const begun = Date.now();
    const moved = await roll(method, stage, what);
    // Clients hear of the last restart a moment later.
    await sleep(1000);
    const samples: Sample[] = [];
    for (const [writer, written] of await Promise.all(writers.map(async (it) => [it, await it.stop()] as const))) {
      const { client, prefix } = writer.input;
      const lost = await missing(cluster, prefix, written.acknowledged);
      samples.push(sampleOf({ method, client, from, to }, written, moved, begun, lost));
    }
    return samples;
  } finally {
    await Promise.all(writers.map((writer) => writer[Symbol.asyncDispose]()));
  }
}

async function firstShard(cluster: Sandbox): Promise<ShardView> {
  const { shards } = await readTopology(
    cluster.endpoint(),
    cluster.nodes.map((node) => node.address),
  );
  const [shard] = shards;
  if (!shard) throw new Error('nobody serves a slot');
  return shard;
}

/** How many acknowledged writes the shard's present primary doesn't have. */
async function missing(cluster: Sandbox, prefix: string, acknowledged: readonly number[]): Promise<number> {
  const { primary } = await firstShard(cluster);
  await using connection = await connect(at(cluster.endpoint(), primary.address), { timeoutMs: 30_000 });
  let lost = 0;
  for (let from = 0; from < acknowledged.length; from += 2000) {
    const some = acknowledged.slice(from, from + 2000);
    const values = await connection.pipeline(some.map((n) => ['GET', `${prefix}:${n}`]));
    lost += some.filter((n, i) => values[i] !== String(n)).length;
  }
  return lost;
}
