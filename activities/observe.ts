import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { queryPrometheus } from '../integrations/prometheus.js';
import { resolveSecret } from '../integrations/secrets.js';
import type { ProbeRecent } from '../model/evidence.js';
import type { GateObservation, NodeResources, ProbeWindow, QueryResult } from '../model/gates/observation.js';
import { RolloutError } from '../model/failures.js';
import { mayHandOver, type ShardObservation } from '../model/handover.js';
import { eachNode } from '../model/in-parallel.js';
import { satisfies } from '../model/release.js';
import { allNodes, type ShardView } from '../model/topology.js';
import type { Verdict } from '../model/verdict.js';
import { fail, pass } from '../model/verdict.js';
import type { ClockReading } from '../model/clocks.js';
import { readClock } from '../redis/clock.js';
import { measureLatencies } from '../redis/latency.js';
import type { NodeAccount } from '../redis/account.js';
import { observePrimaries } from '../redis/topology.js';
import { platformNode, type Context } from './context.js';
import { placeOf } from './places.js';
import { readNamed } from './shard-names.js';
import { seeStandbys } from './see-standbys.js';

/** Written by the probe's activity twice a second, read by the gates, whichever worker they run on. */
export const RECENT = 'probe-recent.json';

export interface Observed {
  observation: GateObservation;
  accounts: NodeAccount[];
}

/** How long each node's latency is looked at where nobody asked for longer, ms. */
const WATCH_MS = 100;

export interface Asked {
  gates: readonly string[];
  shard?: string;
  watchMs?: number;
  /** Who is down needn't be there. */
  excuseDown?: boolean;
}

/** Everything that gates look at, at one moment. With `shard`, its nodes, their machines and its probe only. */
export async function observe(
  context: Context,
  { gates, shard, watchMs = WATCH_MS, excuseDown }: Asked,
): Promise<Observed> {
  const { topology, accounts, down } = await readNamed(context);
  const excused = excuseDown === true ? down : undefined;
  const concerned = shard === undefined ? topology.shards : topology.shards.filter((it) => it.name === shard);
  const wants = (name: string): boolean => gates.includes(name);
  const addresses = allNodes({ shards: concerned }).map(({ address }) => address);
  const [resources, clocks, latencies, probe, prometheus, standbys] = await Promise.all([
    wants('memory') || wants('disk') ? readResources(context, concerned) : {},
    wants('clock') ? readClocks(context, addresses) : {},
    wants('latency') ? measureLatencies(context.endpoint, addresses, watchMs) : {},
    readProbe(context, concerned),
    readQueries(context, gates),
    wants('standby') ? seeStandbys(context, concerned) : [],
  ]);
  return {
    observation: {
      topology: { ...topology, ...(excused ? { disagreements: excused.disagreements } : {}), shards: concerned },
      ...(excused ? { excused: excused.addresses } : {}),
      ...{ resources, clocks, latencies, probe, prometheus, standbys },
    },
    accounts,
  };
}

export interface Candidate {
  candidate: string;
  sinceRoleChangeMs?: number | undefined;
  sinceRelinkMs?: number | undefined;
}

/**
 * May the candidate take over its shard's primary role now? One that is primary already holds nobody up: what is left to
 * do is decided anew on the roles as they are.
 */
export function judgeHandover(
  { deployment }: Context,
  { observation, accounts }: Observed,
  { candidate, sinceRoleChangeMs, sinceRelinkMs }: Candidate,
  to: string,
): Verdict {
  const shard = observation.topology.shards.find((it) => it.replicas.some((node) => node.address === candidate));
  const self = accounts.find(({ node }) => node.address === candidate)?.node;
  if (self?.role === 'primary') return pass(`${candidate} is primary already: somebody else has handed over`);
  if (!shard) return fail(`${candidate} is no replica of any shard`, 'it replicates a primary again');
  const failingOver = accounts.find(({ failoverUnderWay }) => failoverUnderWay)?.node.address;
  const seen: ShardObservation = {
    shard,
    primaries: observePrimaries(accounts),
    verified: shard.replicas.filter((node) => satisfies(node.release, to)).map((node) => node.address),
    sinceRoleChangeMs,
    ...(sinceRelinkMs === undefined ? {} : { sinceRelinkMs }),
    ...(failingOver === undefined ? {} : { failoverUnderWay: failingOver }),
    nodeTimeoutMs: observation.topology.nodeTimeoutMs,
  };
  return mayHandOver(seen, candidate, deployment.policy);
}

async function readResources(context: Context, shards: readonly ShardView[]): Promise<Record<string, NodeResources>> {
  const nodes = allNodes({ shards });
  const found = await eachNode(nodes, async ({ address }) => {
    try {
      await using connection = await context.connect(address);
      const { diskFree, memoryFree, memoryTotal } = await context.platform.resources(
        platformNode({ ...(await placeOf(connection)), pending: false }),
      );
      return [
        [address, { diskFreeBytes: diskFree, memoryFreeBytes: memoryFree, memoryTotalBytes: memoryTotal }] as const,
      ];
    } catch {
      // Missing here, it is never taken for good: the gate says that the node could not be asked.
      return [];
    }
  });
  return Object.fromEntries(found.flat());
}

async function readClocks(context: Context, addresses: readonly string[]): Promise<Record<string, ClockReading>> {
  const read = await eachNode(addresses, async (address) => {
    try {
      await using connection = await context.connect(address);
      return [[address, await readClock(connection)] as const];
    } catch (error) {
      if (error instanceof RolloutError) return [];
      throw error;
    }
  });
  return Object.fromEntries(read.flat());
}

async function readProbe({ folder }: Context, shards: readonly ShardView[]): Promise<Record<string, ProbeWindow>> {
  const text = await readFile(join(folder, RECENT), 'utf8').catch(() => undefined);
  if (text === undefined) return {};
  const { at, recent } = JSON.parse(text) as { at: number; recent: ProbeRecent[] };
  const windows = recent.filter((it) => shards.some((shard) => shard.name === it.shard));
  return Object.fromEntries(
    windows.map(({ shard, operations, failed, p99Ms }) => [
      shard,
      { operations, failed, p99Ms, ageMs: Date.now() - at },
    ]),
  );
}

async function readQueries(
  { deployment, signal }: Context,
  gates: readonly string[],
): Promise<Record<string, QueryResult>> {
  const { prometheus } = deployment.policy.gates;
  const asked = prometheus?.queries.filter(({ name }) => gates.includes(name)) ?? [];
  const answers = await Promise.all(
    asked.map(async ({ name, query }): Promise<[string, QueryResult]> => {
      try {
        const token = prometheus?.token === undefined ? undefined : await resolveSecret(prometheus.token);
        const samples = await queryPrometheus({
          url: prometheus?.url ?? '',
          query,
          signal,
          ...(token === undefined ? {} : { token }),
        });
        return [name, { ok: true, samples }];
      } catch (error) {
        return [name, { ok: false, error: error instanceof Error ? error.message : String(error) }];
      }
    }),
  );
  return Object.fromEntries(answers);
}
