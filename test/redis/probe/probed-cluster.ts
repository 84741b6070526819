import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ProbeSeries } from '../../../model/evidence.js';
import type { SlotRange } from '../../../model/topology.js';
import type { ProbeInput } from '../../../redis/probe/input.js';
import { startProbe, type ProbeHandle } from '../../../redis/probe/process.js';
import { type Sandbox, type SandboxNode, until } from '../../../scripts/sandbox/cluster.js';

/** A folder for probe and ledger that goes away at the end of the test. */
export function scratch(): { folder: string } & Disposable {
  const folder = mkdtempSync(join(tmpdir(), 'redis-rollout-probe-'));
  return { folder, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) };
}

/** `shard-1` … in the order of the sandbox's primaries. */
export function inputFor(cluster: Sandbox, folder: string, primaries = 3): ProbeInput & { policy: { rate: number } } {
  const edge = (i: number): number => Math.round((i * 16384) / primaries);
  return {
    seeds: cluster.nodes.slice(0, primaries).map(({ address }) => address),
    endpoint: cluster.endpoint(),
    shards: Array.from({ length: primaries }, (_, i) => ({
      name: `shard-${i + 1}`,
      slots: [[edge(i), edge(i + 1) - 1] satisfies SlotRange],
    })),
    policy: { rate: 50, prefix: 'probe' },
    folder,
  };
}

/** Waits until every shard has had so many operations more in its window: a condition instead of a pause. */
export async function operations(probe: ProbeHandle, count: number): Promise<void> {
  await until(`${count} operations in each shard's window`, () => {
    const recent = probe.recent();
    return recent.length > 0 && recent.every((shard) => shard.operations >= count);
  });
}

export async function keys(cluster: Sandbox, nodes: readonly SandboxNode[]): Promise<number> {
  const sizes = await Promise.all(
    nodes.map(async (node) => {
      await using connection = await cluster.connect(node);
      return Number(await connection.call('DBSIZE'));
    }),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

export const seriesOf = (all: readonly ProbeSeries[], shard: string, operation?: string): ProbeSeries[] =>
  all.filter((series) => series.shard === shard && (operation === undefined || series.operation === operation));

export const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

export { startProbe };
