import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import type { Sandbox, SandboxNode } from '../../../scripts/sandbox/cluster.js';
import type { LoadInput, SnapshotSource } from '../../../redis/restore/load.js';
import { pullSnapshot, type Snapshot } from '../../../redis/snapshot.js';
import { readTopology } from '../../../redis/topology.js';
import { connect, at } from '../../../redis/connection.js';
import { contentOf, type Content } from '../rewrite/content.js';

/** A snapshot of a server in a file, as a backup's shard would give it. */
export async function snapshotOf(
  server: Sandbox,
  node?: SandboxNode,
): Promise<{ snapshot: Snapshot; source: SnapshotSource }> {
  const file = join(server.root, `${Math.random()}.rdb`);
  const snapshot = await pullSnapshot({ from: server.endpoint(node), file });
  return { snapshot, source: fileSource(file) };
}

export const fileSource = (file: string): SnapshotSource => ({
  open: () => createReadStream(file, { highWaterMark: 64 * 1024 }) as AsyncIterable<Buffer>,
  sameOrder: true,
});

/** Where a cluster is written to. */
export const into = (cluster: Sandbox): Pick<LoadInput, 'endpoint' | 'seeds'> => ({
  endpoint: cluster.endpoint(),
  seeds: cluster.nodes.map(({ address }) => address),
});

/** Every key of a cluster's primaries, read by type. */
export async function contentOfCluster(cluster: Sandbox): Promise<Map<string, Content>> {
  const { endpoint, seeds } = into(cluster);
  const { shards } = await readTopology(endpoint, seeds);
  const all = new Map<string, Content>();
  for (const { primary } of shards) {
    await using node = await connect(at(endpoint, primary.address), { timeoutMs: 60_000 });
    for (const [key, content] of await contentOf(node, primary.release)) all.set(key, content);
  }
  return all;
}
