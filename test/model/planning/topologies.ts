import fc from 'fast-check';
import { parseDeployment } from '../../../model/deployment-file.js';
import type { Deployment } from '../../../model/deployment.js';
import type { NodeFacts, PlanFacts } from '../../../model/planning/facts.js';
import { allNodes, type NodeView, type ShardView, type TopologyView } from '../../../model/topology.js';

/** A deployment with further lines under `policy`. */
export const deployment = (policy = ''): Deployment =>
  parseDeployment(
    `name: orders
topology: cluster
seeds: ["10.0.0.1:6379"]
platform: { kind: process }
backup: { directory: /b }
policy:
  soak: 1h
${policy.replace(/^(?=.)/gm, '  ')}`,
    'orders.yaml',
  );

export interface ShardSketch {
  /** Release of the primary, then of each replica. */
  releases: readonly string[];
  keys?: number;
  bytes?: number;
  /** Bytes that each replica is behind. */
  lags?: readonly number[];
}

/** Shards `shard-1`, … with nodes `10.0.<shard>.<node>:6379`, healthy but for what is given. */
export function topology(sketches: readonly ShardSketch[], rest: Partial<TopologyView> = {}): TopologyView {
  const shards = sketches.map(({ releases, keys = 1000, bytes = 64 * 1024 ** 2, lags = [] }, s): ShardView => {
    const primaryAddress = `10.0.${s + 1}.0:6379`;
    const node = (release: string, n: number): NodeView => {
      const offset = 1_000_000 - (n === 0 ? 0 : (lags[n - 1] ?? 0));
      return {
        id: `${s}`.padStart(20, '0') + `${n}`.padStart(20, '0'),
        address: `10.0.${s + 1}.${n}:6379`,
        release,
        role: n === 0 ? 'primary' : 'replica',
        ...(n === 0
          ? {}
          : { replication: { primary: primaryAddress, link: 'up', offset, loading: false, syncing: false } }),
        replid: 'a'.repeat(40),
        offset,
        backlogBytes: 64 * 1024 ** 2,
        usedMemoryBytes: bytes,
        maxMemoryBytes: 0,
        keys,
        uptimeSeconds: 1000,
        runId: `${s}-${n}`,
      };
    };
    const [primary, ...replicas] = releases.map(node);
    if (!primary) throw new TypeError('a shard has a primary');
    const width = Math.floor(16384 / sketches.length);
    return { name: `shard-${s + 1}`, slots: [[s * width, (s + 1) * width - 1]], primary, replicas };
  });
  return { shards, disagreements: [], nodeTimeoutMs: 5000, ...rest };
}

/** Facts in which nothing is worth a warning, with what is given for every node on top. */
export const facts = (of: TopologyView, rest: NodeFacts = {}): PlanFacts => ({
  nodes: Object.fromEntries(
    allNodes(of).map(({ address }) => [
      address,
      {
        writeBytesPerSecond: 1000,
        datasetBytes: 32 * 1024 ** 2,
        expiringKeys: 0,
        appendOnly: false,
        savePoints: '3600 1',
        announceHostname: '',
        modules: [],
        clients: [],
        ...rest,
      },
    ]),
  ),
});

/** Any cluster whose every node runs `from` or `to`, at any stage of an upgrade, replicas lagging as they like. */
export const anyStage = (from: string, to: string): fc.Arbitrary<TopologyView> =>
  fc
    .array(
      fc.record({
        releases: fc.array(fc.constantFrom(from, to), { minLength: 1, maxLength: 4 }),
        keys: fc.nat({ max: 5 }),
        lags: fc.array(fc.nat({ max: 100 }), { maxLength: 3 }),
      }),
      { minLength: 1, maxLength: 6 },
    )
    .map((sketches) => topology(sketches));
