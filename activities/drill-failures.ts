import type { SealedShard } from '../model/backup-manifest.js';
import type { DrillStep } from '../model/drill.js';
import { VOTERS } from '../model/drill-part.js';
import { formatDuration } from '../model/duration.js';
import { parseClusterNodes } from '../redis/cluster-nodes.js';
import { tagsFor } from '../redis/probe/slot.js';
import type { ScratchCluster } from './scratch-cluster.js';

type Tried = Omit<DrillStep, 'name' | 'tookMs'>;

/**
 * Kills the primary of a shard. How long it takes until another node calls it failed, and until its replica takes a write.
 *
 * @param patienceMs longest that this may take, ms
 */
export async function primaryDies(
  cluster: ScratchCluster,
  { shard, slots }: SealedShard,
  patienceMs: number,
): Promise<Tried> {
  const primaries = cluster.nodes.filter(({ role }) => role === 'primary').length;
  const replica = cluster.nodes.find((it) => it.shard === shard && it.role === 'replica');
  const primary = await cluster.primaryOf(shard);
  if (primaries < VOTERS)
    return { result: 'skipped', found: `${primaries} primaries elect nobody; ${VOTERS} are needed` };
  if (!replica || !primary)
    return { result: 'skipped', found: 'no replica: before 6.0 one would write the data to a disk' };
  const [tag = ''] = tagsFor(slots, 1);
  const key = `redis-rollout:{${tag}}:drill`;
  await cluster.kill(primary);
  const detected = await cluster.until(patienceMs, `somebody calls ${primary.address} failed`, async (nodes) => {
    const views = await Promise.all(
      nodes.map(async (node) => parseClusterNodes(String(await node.call('CLUSTER', 'NODES')), '127.0.0.1')),
    );
    return views.some((peers) => peers.some(({ address, health }) => address === primary.address && health === 'fail'));
  });
  const promoted = await cluster.until(patienceMs, `${replica.address} takes a write in its place`, async (nodes) => {
    const node = nodes.find(({ address }) => address === replica.address);
    // Refused until it has been promoted.
    const reply = await node?.call('SET', key, '1', 'PX', 60_000).catch(() => undefined);
    return reply === 'OK';
  });
  return {
    result: 'passed',
    found: `called failed after ${formatDuration(detected)}, written to again after ${formatDuration(detected + promoted)}`,
    measured: { detectedMs: detected, writableMs: detected + promoted },
  };
}

/**
 * Ends all nodes of a shard, starts them again with nothing, and has its backup loaded.
 *
 * @param load of this shard alone; gives the keys that are there afterwards
 */
export async function shardIsLost(
  cluster: ScratchCluster,
  { shard }: SealedShard,
  load: () => Promise<number>,
): Promise<Tried> {
  const nodes = cluster.nodes.filter((it) => it.shard === shard);
  const begun = performance.now();
  for (const node of nodes) await cluster.kill(node);
  // Whoever served last, so that nobody votes: an empty node never promotes itself over one with data, and here is none.
  await Promise.all(nodes.map((node) => cluster.begin(node)));
  await cluster.formed();
  const keys = await load();
  const servedMs = Math.round(performance.now() - begun);
  return {
    result: 'passed',
    found: `${keys.toLocaleString('en')} keys served again after ${formatDuration(servedMs)}`,
    measured: { servedMs },
  };
}
