import type { VerifyResult } from '../../model/evidence.js';
import { RolloutError } from '../../model/failures.js';
import type { GateObservation } from '../../model/gates/observation.js';
import type { NodeFacts } from '../../model/planning/facts.js';
import { allNodes, type TopologyView } from '../../model/topology.js';
import type { NodePlace, SyncBaseline } from '../../model/work.js';
import type { SimulatedNode } from './cluster.js';

/** As large as of a real node with three kinds of clients: sizes are measured with it. */
export const facts: NodeFacts = {
  ...{ writeBytesPerSecond: 123_456.789, datasetBytes: 1024 ** 3, expiringKeys: 123_456, appendOnly: false },
  ...{ savePoints: '3600 1 300 100 60 10000', announceHostname: '', modules: [] },
  clients: ['ioredis', 'node-redis', 'redis-py'].map((library) => ({
    library,
    version: '5.0.1',
    count: 40,
    readOnly: 0,
  })),
};

export function beforeOf(node: SimulatedNode): NonNullable<SimulatedNode['before']> {
  if (!node.before) throw new RolloutError('Stopped', `nothing is known of ${node.address} as it was before`);
  return node.before;
}

export const baselineOf = ({ address, starts, syncs }: SimulatedNode): SyncBaseline => ({
  runId: `${address}/${starts}`,
  ...syncs,
});

export const compared = (shard: string, primary: string, replica: string): VerifyResult => ({
  ...{ shard, primary, replica, mode: 'all', keys: 1_000_000, bytes: 1024 ** 3, different: 0, examples: [] },
  ...{ ttlDriftMs: 0, durationMs: 1 },
});

export const placeOf = ({ address, release, before }: SimulatedNode): NodePlace => ({
  ...{ address, home: `/var/lib/redis/${address}`, configurationFile: `/etc/redis/${address}.conf` },
  ...{ datasetFile: 'dump.rdb', clusterFile: 'nodes.conf' },
  release: before?.released === false ? before.release : release,
  pending: before?.released === false,
});

/** Machines with room, and clients that are answered within `p99Ms`. */
export function observed(topology: TopologyView, p99Ms: number): GateObservation {
  const addresses = allNodes(topology).map(({ address }) => address);
  const machine = { diskFreeBytes: 1024 ** 4, memoryFreeBytes: 1024 ** 4, memoryTotalBytes: 1024 ** 4 };
  return {
    topology,
    resources: Object.fromEntries(addresses.map((address) => [address, machine])),
    clocks: Object.fromEntries(addresses.map((address) => [address, { ms: 0, uncertaintyMs: 0 }])),
    latencies: Object.fromEntries(addresses.map((address) => [address, p99Ms])),
    probe: Object.fromEntries(
      topology.shards.map(({ name }) => [name, { operations: 1000, failed: 0, p99Ms, ageMs: 100 }]),
    ),
    prometheus: {},
    standbys: [],
  };
}
