import type { Plan, ShardPlan } from '../plan.js';
import type { NodeView, ShardView, TopologyView } from '../topology.js';
import { makePlan, type PlanInput } from './make-plan.js';

/**
 * The plan of a way in one or several hops: of each hop what would be done on the cluster as the hop before is going to
 * leave it. The gates are those of today, and said once.
 *
 * @param stops exact releases, one behind the other, the target last
 */
export function planWay(input: Omit<PlanInput, 'to' | 'hop'>, stops: readonly string[]): Plan {
  const [to = '', ...after] = stops;
  return after.length === 0 ? makePlan({ ...input, to }) : leg(input, [to, ...after], true);
}

function leg(input: Omit<PlanInput, 'to' | 'hop'>, stops: readonly string[], first: boolean): Plan {
  const [to = '', ...after] = stops;
  const plan = makePlan({ ...input, to, hop: { first, last: after.length === 0 } });
  if (after.length === 0) return plan;
  const next = { ...input, topology: asLeftBy(plan, input.topology, to), gates: [] };
  return { ...plan, then: leg(next, after, false) };
}

/** Every node on the release, every primary's role with the successor that the plan names, and nothing that disagrees. */
function asLeftBy({ shards }: Plan, topology: TopologyView, to: string): TopologyView {
  const planned = new Map(shards.map((it) => [it.shard, it]));
  return {
    ...topology,
    shards: topology.shards.map((shard) => swapped(shard, planned.get(shard.name), to)),
    disagreements: [],
  };
}

function swapped(shard: ShardView, plan: ShardPlan | undefined, to: string): ShardView {
  const upgraded = ({ primary, replicas, ...rest }: ShardView): ShardView => ({
    ...rest,
    primary: { ...primary, release: to },
    replicas: replicas.map((it) => ({ ...it, release: to })),
  });
  const successor = plan?.steps.find(({ kind }) => kind === 'handover')?.node;
  const taker = shard.replicas.find(({ address }) => address === successor);
  if (!taker) return upgraded(shard);
  const follow = (node: NodeView): NodeView => ({
    ...node,
    role: 'replica',
    replication: { primary: taker.address, link: 'up', offset: node.offset, loading: false, syncing: false },
  });
  const primary: NodeView = { ...taker, role: 'primary' };
  delete primary.replication;
  return upgraded({
    ...shard,
    primary,
    replicas: [shard.primary, ...shard.replicas.filter((it) => it !== taker)].map(follow),
  });
}
