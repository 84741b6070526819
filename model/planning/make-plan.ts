import { approvalName } from '../approvals.js';
import { leftToUpgrade, upgradePath } from '../compatibility/upgrade-path.js';
import type { Deployment } from '../deployment.js';
import { formatSize } from '../duration.js';
import { plannedClass } from '../fallback-class.js';
import type { Plan, PlanStep, PlanWarning, ShardPlan } from '../plan.js';
import { satisfies } from '../release.js';
import { allNodes, formatSlots, type ShardView, type TopologyView } from '../topology.js';
import type { Verdict } from '../verdict.js';
import { clientWarnings } from './client-warnings.js';
import { backlogNeeded } from './backlog.js';
import { clockWarnings } from './clock-warnings.js';
import { longestDowntime, moduleWarnings, shardWarnings } from './data-warnings.js';
import { assumed, backupMs, datasetOf, makespan } from './expected-times.js';
import type { PlanFacts } from './facts.js';
import { announces, fallbackWarnings, standbyNeeds } from './fallback-plan.js';
import { chooseCanary, shardOrder } from './order.js';
import { shardSteps } from './shard-steps.js';
import { hostnameWarnings, targetWarnings } from './target-warnings.js';

export interface PlanInput {
  deployment: Pick<Deployment, 'name' | 'policy'>;
  topology: TopologyView;
  /** Exact release, `8.0.6`. */
  to: string;
  facts: PlanFacts;
  /** The gates as they stand, for the reader; the plan does not depend on them. */
  gates?: readonly { gate: string; verdict: Verdict }[];
  /** Of a way in several hops, which part this is. */
  hop?: { first: boolean; last: boolean };
}

/**
 * What would be done, in order, and what speaks against it. The same input always gives the same plan; of a partly
 * upgraded deployment it is the plan of what is left. A plan with a blocker has the steps all the same where there are
 * safe ones, and must not be carried out.
 */
export function makePlan({ deployment, topology, to, facts, gates = [], hop }: PlanInput): Plan {
  const { policy } = deployment;
  const nodes = allNodes(topology);
  const left = leftToUpgrade(
    nodes.map(({ release }) => release),
    to,
  );
  const from = left[0] ?? to;
  const path = left.length === 0 ? undefined : upgradePath(from, to);
  const canary = chooseCanary(topology.shards, to);
  const order = shardOrder(topology.shards, to);
  // Asked once, before the first primary that is handed over.
  const firstHandover = order.find(({ primary }) => !satisfies(primary.release, to))?.name;
  const outlook = plannedClass(policy, { from, to, announcesHostname: announces(nodes, facts) });
  const shards = order.map((shard): ShardPlan => ({
    shard: shard.name,
    slots: formatSlots(shard.slots),
    primary: shard.primary.address,
    replicas: shard.replicas.map(({ address }) => address),
    keys: shard.primary.keys,
    bytes: datasetOf(shard.primary, facts),
    ...grownBacklog(shard, facts, policy),
    ...standbyNeeds(shard, policy, facts, to),
    steps: shardSteps({
      shard,
      to,
      policy,
      facts,
      nodeTimeoutMs: topology.nodeTimeoutMs,
      ...(canary ? { canary } : {}),
      asksForHandover: policy.approvals.handover?.per === 'shard' || shard.name === firstHandover,
    }),
  }));
  return {
    deployment: deployment.name,
    from,
    to,
    hops: path && !path.ok ? (path.hop?.slice(0, -1) ?? []) : [],
    nodes: nodes.length,
    shards,
    parallelShards: policy.parallelShards,
    ...(canary ? { canary } : {}),
    expectedMs: shards.length === 0 ? 0 : expectedMs(shards, deployment),
    gates: [...gates],
    warnings: sorted([
      ...targetWarnings(deployment.name, topology, to),
      ...topology.disagreements.map(disagreement),
      ...hostnameWarnings(nodes, facts),
      ...clockWarnings(nodes, facts, policy),
      ...order.flatMap((shard: ShardView) => shardWarnings({ shard, to, policy, facts })),
      ...(shards.length === 0
        ? []
        : [
            ...fallbackWarnings(outlook, { policy, shards, from, to, last: hop?.last ?? true }),
            ...moduleWarnings(nodes, facts, to),
            ...clientWarnings(topology, facts),
            ...probeNote(policy),
            assumptions,
          ]),
    ]),
    approvals: approvalsOf(deployment, shards, to, hop),
    ...(shards.length === 0 ? {} : { fallback: { policy: policy.fallback, ...outlook } }),
  };
}

/** Backups, then the canary alone, then the shards side by side, then the soak. People's time comes on top. */
function expectedMs(shards: readonly ShardPlan[], { policy }: Pick<Deployment, 'policy'>): number {
  const sum = (steps: readonly PlanStep[]): number => steps.reduce((ms, step) => ms + step.expectedMs, 0);
  const canaryEnds = (shards[0]?.steps.findIndex(({ kind }) => kind === 'canary soak') ?? -1) + 1;
  const rest = shards.map(({ steps }, i) => sum(i === 0 ? steps.slice(canaryEnds) : steps));
  return (
    backupMs(shards.map(({ bytes }) => bytes)) +
    sum(shards[0]?.steps.slice(0, canaryEnds) ?? []) +
    makespan(rest, policy.parallelShards) +
    policy.soak
  );
}

/** Start is asked once and finalize once; each hop's handover is a question of its own, since each hop has its canary. */
function approvalsOf(
  { policy }: Pick<Deployment, 'policy'>,
  shards: readonly ShardPlan[],
  to: string,
  hop: PlanInput['hop'],
): Plan['approvals'] {
  const { start, handover, finalize } = policy.approvals;
  const handovers = shards.filter(({ steps }) => steps.some(({ kind }) => kind === 'approval'));
  return [
    ...(start && (hop?.first ?? true) ? [{ approval: 'start', roles: start.roles, quorum: start.quorum }] : []),
    ...(handover
      ? handovers.map(({ shard }) => ({
          approval: approvalName('handover', {
            ...(hop ? { hop: to } : {}),
            ...(handover.per === 'shard' ? { shard } : {}),
          }),
          roles: handover.roles,
          quorum: handover.quorum,
        }))
      : []),
    ...(finalize && (hop?.last ?? true)
      ? [{ approval: 'finalize', roles: finalize.roles, quorum: finalize.quorum }]
      : []),
  ];
}

const disagreement = (text: string): PlanWarning => ({
  severity: 'blocker',
  subject: 'topology',
  text: `${text}.`,
  next: 'Bring the cluster to health first; an upgrade needs every node to agree.',
});

const probeNote = ({ probe }: Deployment['policy']): PlanWarning[] =>
  probe.enabled
    ? [
        {
          severity: 'note',
          subject: 'probe',
          text: `From the answer to start until the end the probe writes keys of its own, ${probe.prefix}:*, and removes them.`,
        },
      ]
    : [];

const assumptions: PlanWarning = {
  severity: 'note',
  subject: 'expected times',
  text: `Assumed, not measured: ${formatSize(assumed.saveBytesPerSecond)}/s saved, ${formatSize(assumed.loadBytesPerSecond)}/s loaded, ${formatSize(assumed.compareBytesPerSecond)}/s compared, ${assumed.restartMs / 1000} s to restart and ${assumed.rejoinMs / 1000} s to rejoin a node. People's time comes on top.`,
};

const rank = { blocker: 0, warning: 1, note: 2 } as const;

const sorted = (warnings: readonly PlanWarning[]): PlanWarning[] =>
  warnings.toSorted((a, b) => rank[a.severity] - rank[b.severity]);

/** The backlog that the shard's nodes get for the upgrade, where theirs is too small and the policy lets it grow. */
function grownBacklog(
  shard: ShardView,
  facts: PlanFacts,
  policy: Deployment['policy'],
): Pick<ShardPlan, 'backlogBytes'> {
  if (!policy.backlog.grow) return {};
  const needed = backlogNeeded(shard, facts, policy, longestDowntime({ shard, facts }) / 1000);
  const smallest = Math.min(...[shard.primary, ...shard.replicas].map((node) => node.backlogBytes));
  return needed && needed.bytes > smallest ? { backlogBytes: needed.bytes } : {};
}
