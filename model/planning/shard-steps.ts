import { olderLine } from '../compatibility/release-lines.js';
import type { Policy } from '../policy.js';
import { formatDuration, formatSize } from '../duration.js';
import type { PlanStep } from '../plan.js';
import { satisfies } from '../release.js';
import type { NodeView, ShardView } from '../topology.js';
import { compareMs, datasetOf, downtimeMs, handoverMode, handoverMs, swapMs, syncMs } from './expected-times.js';
import type { PlanFacts } from './facts.js';
import { chooseSuccessor, replicaOrder, type Canary } from './order.js';

export interface ShardStepsInput {
  shard: ShardView;
  to: string;
  policy: Policy;
  facts: PlanFacts;
  nodeTimeoutMs: number;
  canary?: Canary;
  /** Is the approval of the handover asked for in this shard? */
  asksForHandover: boolean;
}

/** What is left to do in one shard, in order; empty where nothing is left, or where nothing can be done safely. */
export function shardSteps(input: ShardStepsInput): PlanStep[] {
  const { shard, to } = input;
  const replicas = replicaOrder(shard, to);
  const primaryLeft = !satisfies(shard.primary.release, to);
  if (replicas.length === 0 && !primaryLeft) return [];
  // Without a replica there is nobody to hand over to, and a primary that owns slots is never stopped.
  if (primaryLeft && shard.replicas.length === 0) return [];
  const steps = replicas.flatMap((replica, i) => replicaSteps(input, replica, replicas.slice(0, i), replicas.length));
  return [
    ...(primaryLeft ? addStandbyStep(input) : []),
    ...steps,
    ...(primaryLeft ? primarySteps(input) : []),
    verifyStep(input),
  ];
}

/** Before any node of the shard is touched, while its primary runs the release that the standby is going to keep. */
function addStandbyStep({ shard, policy, facts }: ShardStepsInput): PlanStep[] {
  if (policy.fallback !== 'standby') return [];
  const bytes = datasetOf(shard.primary, facts);
  return [
    {
      kind: 'add standby',
      shard: shard.name,
      waitsFor: [`a server of ${shard.primary.release} beside ${shard.primary.address} has everything`],
      copiesDuring: 1 + shard.replicas.length,
      expectedMs: syncMs(bytes),
    },
  ];
}

/**
 * Copies of the data that are whole and follow while `replica` is down. An older line's replica of a newer primary does
 * not count: its link looks healthy while it drops what it can't parse.
 *
 * @param done replicas whose upgrade ended, verified, before this one's began
 */
function copiesWithout(shard: ShardView, replica: NodeView | undefined, done: readonly NodeView[]): number {
  const others = shard.replicas.filter((it) => it !== replica);
  return 1 + others.filter((it) => done.includes(it) || isWhole(shard, it)).length;
}

const isWhole = ({ primary }: ShardView, { replication, release }: NodeView): boolean =>
  replication?.link === 'up' && !replication.loading && !replication.syncing && !olderLine(release, primary.release);

function replicaSteps(input: ShardStepsInput, replica: NodeView, done: readonly NodeView[], all: number): PlanStep[] {
  const { shard, to, policy, facts, canary } = input;
  const bytes = datasetOf(replica, facts);
  const isCanary = canary?.node === replica.address;
  // What an old replica holds and saves once its primary is newer can't be trusted: DESIGN's third invariant.
  const diverged = olderLine(replica.release, shard.primary.release);
  const step: PlanStep = {
    kind: diverged && all === 1 ? 'upgrade primary' : 'upgrade replica',
    shard: shard.name,
    node: replica.address,
    from: replica.release,
    to,
    waitsFor: [
      'every gate passes',
      ...(isCanary ? ['a verified backup of every shard'] : []),
      ...(done.length > 0 || (canary !== undefined && !isCanary) ? ['the node before it is verified'] : []),
      ...(diverged ? ['its snapshot from before the handover, else an empty start and a full resync'] : []),
    ],
    copiesDuring: copiesWithout(shard, replica, done),
    expectedMs: swapMs(bytes),
  };
  if (!isCanary) return [step];
  return [
    step,
    {
      kind: 'canary soak',
      shard: shard.name,
      node: replica.address,
      waitsFor: [`${formatDuration(policy.canarySoak)} with every gate passing`],
      copiesDuring: copiesWithout(shard, undefined, [replica]),
      expectedMs: policy.canarySoak,
    },
  ];
}

/** The successor as it would be chosen if every replica were upgraded now. */
function successorOf(shard: ShardView, to: string): NodeView {
  const upgraded = { ...shard, replicas: shard.replicas.map((it) => ({ ...it, release: to })) };
  const [first] = shard.replicas;
  const chosen = chooseSuccessor(upgraded, to) ?? first;
  if (!chosen) throw new TypeError(`${shard.name} has no replica to hand over to`);
  return chosen;
}

function primarySteps(input: ShardStepsInput): PlanStep[] {
  const { shard, to, policy, facts, nodeTimeoutMs, asksForHandover } = input;
  const { primary } = shard;
  const successor = successorOf(shard, to);
  const approval = policy.approvals.handover;
  // Every replica is upgraded and verified by then, whatever it is like now.
  const whole = 1 + shard.replicas.length;
  const steps: PlanStep[] = [];
  if (approval && asksForHandover)
    steps.push({
      kind: 'approval',
      shard: shard.name,
      waitsFor: [`${approval.quorum} of ${approval.roles.join(', ')} approve the handover`],
      copiesDuring: whole,
      expectedMs: 0,
    });
  if (policy.fallback === 'standby')
    steps.push({
      kind: 'freeze standby',
      shard: shard.name,
      waitsFor: [
        'every gate passes',
        'it is saved, and a member without slots: what follows is given to it from outside',
      ],
      copiesDuring: whole,
      expectedMs: downtimeMs(datasetOf(primary, facts)),
    });
  steps.push(
    {
      kind: 'handover',
      shard: shard.name,
      node: successor.address,
      waitsFor: [
        'every gate passes',
        `a snapshot of ${primary.address}, taken before the handover`,
        `${successor.address} is upgraded, verified, linked, at most ${formatSize(policy.gates.maxLag)} behind, and known to every primary`,
        `no failover is under way, and ${formatDuration(Math.max(policy.settle, 2 * nodeTimeoutMs))} since roles changed`,
        ...(handoverMode(shard, policy) === 'fast' ? ['writes paused and offsets equal'] : []),
      ],
      copiesDuring: whole,
      expectedMs: handoverMs(shard, policy, nodeTimeoutMs),
    },
    {
      kind: 'upgrade primary',
      shard: shard.name,
      node: primary.address,
      from: primary.release,
      to,
      waitsFor: [`every node sees ${successor.address} as the primary of ${shard.name}`, 'every gate passes'],
      copiesDuring: whole - 1,
      expectedMs: swapMs(datasetOf(primary, facts)),
    },
  );
  return steps;
}

function verifyStep({ shard, to, policy, facts }: ShardStepsInput): PlanStep {
  const compared = policy.verify === 'all' ? 'every key' : '10,000 random keys';
  return {
    kind: 'verify',
    shard: shard.name,
    waitsFor: [`every node runs ${to}`, `${compared} of the primary compared with each replica`],
    copiesDuring: 1 + shard.replicas.length,
    expectedMs: compareMs(datasetOf(shard.primary, facts)),
  };
}
