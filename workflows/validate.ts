import { named } from '../model/report/quantities.js';
import { satisfies } from '../model/release.js';
import { allNodes, type TopologyView } from '../model/topology.js';
import type { VerifyResult } from '../model/evidence.js';
import { stopped } from './failure.js';
import { inParallel } from '../model/in-parallel.js';
import { act } from './proxies.js';
import type { Run } from './run.js';

/** A replica that was compared, and the primary that it had then. */
export interface Compared {
  replica: string;
  primary: string;
}

/**
 * Every node's release read anew, whoever is said to have upgraded it.
 *
 * @param only these shards' nodes
 * @throws Stopped, naming the nodes that run something else
 */
export async function expectEveryNode(run: Run, only?: readonly string[]): Promise<TopologyView> {
  const { name: deployment, to } = run.assessment;
  const { topology: whole, away = [] } = await act('readCluster', `every node of ${deployment} runs ${to}`, run.order);
  if (away.length > 0) throw stopped(`expected ${to} on every node, and ${away.join(', ')} can't be read`);
  const topology = only ? { ...whole, shards: whole.shards.filter(({ name }) => only.includes(name)) } : whole;
  noteMembers(run, topology);
  const others = allNodes(topology).filter((node) => !satisfies(node.release, to));
  if (others.length > 0)
    throw stopped(
      `expected ${to} on every node, found ${others.map(({ address, release }) => `${release} on ${address}`).join(', ')}`,
    );
  return topology;
}

/** Who somebody took out of the cluster meanwhile is nobody's to upgrade; who was added counts, and may be left to do. */
function noteMembers(run: Run, topology: TopologyView): void {
  const members = allNodes(topology).map(({ address }) => address);
  const known = run.status.shards.flatMap(({ nodes }) => nodes.map(({ address }) => address));
  for (const shard of run.status.shards) {
    const now = topology.shards.find(({ name }) => name === shard.shard);
    shard.nodes = [
      ...shard.nodes.filter(({ address }) => members.includes(address)),
      ...(now ? [now.primary, ...now.replicas] : [])
        .filter(({ address }) => !known.includes(address))
        .map(({ address, role, release }) => ({
          ...{ address, role, release },
          state: satisfies(release, run.assessment.to) ? doneOf(run) : ('waiting' as const),
        })),
    ];
  }
  for (const address of known.filter((it) => !members.includes(it)))
    run.note('note', `${address} is no member of the cluster any more: somebody took it out`);
  run.count();
}

const doneOf = ({ status }: Run): 'reverted' | 'upgraded' =>
  status.operation === 'fallback' ? 'reverted' : 'upgraded';

/** Compares every replica with the primary that it has now, but for those that were compared under it already. */
export async function compareAll(run: Run, { shards }: TopologyView, compared: readonly Compared[]): Promise<void> {
  const pairs = shards.flatMap(({ name, primary, replicas }) =>
    replicas.map(({ address }) => ({ shard: name, primary: primary.address, replica: address })),
  );
  const known = ({ primary, replica }: Compared): boolean =>
    compared.some((it) => it.replica === replica && it.primary === primary);
  await inParallel(
    pairs.filter((pair) => !known(pair)),
    run.assessment.policy.parallelShards,
    async (pair) => {
      await run.checkpoint();
      const where = { shard: pair.shard };
      const text = `compare ${pair.replica} with ${pair.primary}`;
      const result = await run.step(text, where, () => act('compareReplica', text, { ...run.order, ...pair }));
      run.record.verify.push(result);
      noteComparison(run, result);
    },
  );
}

/** What a comparison found, what it set right, and what it could not decide. */
export function noteComparison(run: Run, result: VerifyResult): void {
  const { shard, replica, primary, mode, keys, different, repaired, ttlDriftMs, unsettled, unsettledKeys } = result;
  const where = { shard, node: replica };
  const which = mode === 'all' ? 'every key' : 'a sample';
  run.note('check', `${replica} compared with ${primary}: ${which}, ${keys} keys, ${different} different`, where);
  if (repaired !== undefined && repaired > 0)
    run.note(
      'note',
      `expiry of ${repaired} keys set right: up to ${ttlDriftMs} ms off after the node's absence`,
      where,
    );
  if (unsettled !== undefined && unsettled > 0)
    run.note(
      'note',
      `${unsettled} keys of ${replica} were rewritten too often to be compared, neither equal nor different` +
        named(unsettledKeys, unsettled),
      where,
    );
}
