import { makersOfNewData } from '../compatibility/keeps-way-back.js';
import type { Policy } from '../policy.js';
import { formatSize } from '../duration.js';
import type { FallbackOutlook } from '../fallback-class.js';
import type { PlanWarning, ShardPlan } from '../plan.js';
import { nameRelease, satisfies } from '../release.js';
import type { NodeView, ShardView } from '../topology.js';
import { datasetOf } from './expected-times.js';
import type { PlanFacts } from './facts.js';

/** Allocators and buffers beside what the primary has in use. */
const MEMORY_FACTOR = 1.1;
/** Datasets on its disk: the one that it has, and the one that it writes in its place. */
const DATASET_FILES = 2;

/** What a standby of the shard takes; nothing where the policy has none, or the shard was handed over already. */
export function standbyNeeds(
  { primary }: ShardView,
  { fallback }: Pick<Policy, 'fallback'>,
  facts: PlanFacts,
  to: string,
): Pick<ShardPlan, 'standby'> {
  if (fallback !== 'standby' || satisfies(primary.release, to)) return {};
  return {
    standby: {
      release: primary.release,
      memoryBytes: Math.ceil(primary.usedMemoryBytes * MEMORY_FACTOR),
      diskBytes: DATASET_FILES * datasetOf(primary, facts),
    },
  };
}

/** Is cluster-announce-hostname set anywhere? */
export const announces = (nodes: readonly NodeView[], facts: PlanFacts): boolean =>
  nodes.some(({ address }) => (facts.nodes[address]?.announceHostname ?? '') !== '');

interface Outlined {
  policy: Pick<Policy, 'fallback' | 'approvals'>;
  shards: readonly ShardPlan[];
  from: string;
  to: string;
  /** Of a way in several hops, is it the last? */
  last: boolean;
}

/** What standbys take, where they would be of no use, and from when on there is no going back. */
export function fallbackWarnings(
  outlook: FallbackOutlook,
  { policy, shards, from, to, last }: Outlined,
): PlanWarning[] {
  if (policy.fallback !== 'standby') return [];
  const subject = 'fallback';
  const makers = makersOfNewData(to, from);
  const standbys = shards.flatMap(({ standby }) => (standby ? [standby] : []));
  const sum = (pick: (standby: (typeof standbys)[number]) => number): string =>
    formatSize(standbys.reduce((bytes, it) => bytes + pick(it), 0));
  const end = last
    ? `Once ${policy.approvals.finalize ? 'finalize is approved' : 'the soak is over'}`
    : 'Before the next hop starts';
  return [
    ...(outlook.class === 'restore-only'
      ? [
          {
            severity: 'warning' as const,
            subject,
            text: `A standby would be of no use: ${outlook.reason}.`,
            next: 'Set policy.fallback to backup, or go by way of another release.',
          },
        ]
      : []),
    ...(standbys.length > 0
      ? [
          {
            severity: 'note' as const,
            subject,
            text: `Standbys: ${standbys.length} ${standbys.length === 1 ? 'server' : 'servers'} of ${nameRelease(from)} beside the primaries, ${sum((it) => it.memoryBytes)} of memory and ${sum((it) => it.diskBytes)} of disk in all.`,
          },
        ]
      : []),
    ...(outlook.class === 'lossless' && makers.length > 0
      ? [
          {
            severity: 'note' as const,
            subject,
            text: `What ${nameRelease(from)} has no place for would be lost by going back. To keep clients from making such data until then: ACL SETUSER <user> ${makers.map((name) => `-${name}`).join(' ')}`,
          },
        ]
      : []),
    {
      severity: 'note',
      subject,
      text: `${end} the standbys are removed: from there on ${nameRelease(to)} can't be taken back without loss. Until then: rollout fallback.`,
    },
  ];
}
