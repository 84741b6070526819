import { chooseSuccessor } from './planning/order.js';
import { satisfies } from './release.js';
import type { NodeView, ShardView, TopologyView } from './topology.js';

/** What is to be done next in a shard that is taken back, as it is now. */
export type NextInFallback =
  /** To the previous release: a replica of a newer one, or one that somebody began to bring back. */
  | { kind: 'return'; node: Pick<NodeView, 'address'> & { release?: string } }
  /** Isolated for an upgrade that went no further: it serves on, and may be promoted again. */
  | { kind: 'release primary' }
  | { kind: 'cut over'; standby: string }
  /** People have approved that its backup takes the place of what it serves. */
  | { kind: 'restore' }
  /** The standby serves, and every other node is back. */
  | { kind: 'hand over'; successor: NodeView }
  | { kind: 'await link'; node: NodeView }
  | { kind: 'remove standby' }
  | { kind: 'refused'; reason: string };

export interface FallbackInShard {
  shard: ShardView;
  /** The release to go back to. */
  to: string;
  standby?: { address: string; state: string; lost?: string };
  /** Its members that can't be read: they go back last. */
  away?: readonly string[];
  /** Addresses that an operation has isolated and not released yet. */
  pending: readonly string[];
  /** Who was primary before the standby: the role goes back to it where it may. */
  before?: string;
  /** Was it approved that it is restored from its backup? */
  restore?: boolean;
}

/**
 * Decides from what is seen now, whoever brought it there: a fallback that was interrupted anywhere is started again and
 * goes on. Undefined when nothing is left to do.
 */
export function nextInFallback({
  shard,
  to,
  standby,
  pending,
  away = [],
  before,
  restore = false,
}: FallbackInShard): NextInFallback | undefined {
  const { primary, replicas } = shard;
  if (!satisfies(primary.release, to)) {
    if (isUsable(standby)) return { kind: 'cut over', standby: standby.address };
    if (restore) return { kind: 'restore' };
    return {
      kind: 'refused',
      reason: `${primary.address} serves ${shard.name} on ${primary.release}, and ${lacks(standby, to)}`,
    };
  }
  // It has the slots, and an attempt that ended did not come to see to the rest.
  if (primary.address === standby?.address && standby.state !== 'serving')
    return { kind: 'cut over', standby: standby.address };
  const others = replicas.filter(({ address }) => address !== standby?.address);
  const newer = others.find(({ address, release }) => !satisfies(release, to) || pending.includes(address));
  if (newer) return { kind: 'return', node: newer };
  const [silent] = away.filter((address) => address !== standby?.address);
  const last = silent === undefined ? undefined : ({ kind: 'return', node: { address: silent } } as const);
  if (primary.address !== standby?.address) {
    if (pending.includes(primary.address)) return { kind: 'release primary' };
    return last ?? (standby ? { kind: 'remove standby' } : undefined);
  }
  const linked = { ...shard, replicas: others };
  const successor =
    chooseSuccessor({ ...linked, replicas: others.filter(({ address }) => address === before) }, to) ??
    chooseSuccessor(linked, to);
  if (successor) return { kind: 'hand over', successor };
  // Nobody else is left that the role could go to.
  if (last && others.length === 0) return last;
  const [first] = others;
  if (first) return { kind: 'await link', node: first };
  return {
    kind: 'refused',
    reason: `${primary.address}, the standby, serves ${shard.name} alone: there is no replica`,
  };
}

type StandbyOfShard = FallbackInShard['standby'];

/** Could it take over: was it frozen while its shard still ran its release, and is it still followed for? */
const isUsable = (standby: StandbyOfShard): standby is NonNullable<StandbyOfShard> =>
  standby !== undefined && standby.state !== 'syncing' && standby.lost === undefined;

/** Why nothing but a backup is left of the release to go back to. */
export function lacks(standby: StandbyOfShard, to: string): string {
  if (!standby) return `there is no standby of ${to}`;
  if (standby.lost !== undefined)
    return `its standby ${standby.address} can’t be brought up to it any more: ${standby.lost}`;
  return `there is no standby of ${to} that was frozen before it`;
}

/** Is it a shard whose writes since its backup could only be given up? Asked before anything of a fallback is touched. */
const needsRestore = (it: Omit<FallbackInShard, 'pending'>): boolean =>
  nextInFallback({ ...it, pending: [] })?.kind === 'refused';

/** Shards of a deployment of which nothing but their backups could be had. */
export const withoutWayBack = ({
  topology,
  standbys,
  to,
}: {
  topology: Pick<TopologyView, 'shards'>;
  standbys: readonly { shard: string; address: string; state: string; lost?: string }[];
  to: string;
}): ShardView[] =>
  topology.shards.filter((shard) => {
    const standby = standbys.find((it) => it.shard === shard.name);
    return needsRestore({ shard, to, ...(standby ? { standby } : {}) });
  });
