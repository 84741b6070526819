import { chooseSuccessor } from './planning/order.js';
import { satisfies } from './release.js';
import type { NodeView, ShardView, TopologyView } from './topology.js';

/** What is to be done next in a shard that is taken back, as it is now. */
export type NextInFallback =
  /** To the previous release: a replica of a newer one, or one that somebody began to bring back. */
  | { kind: 'return'; node: NodeView }
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
  standby?: { address: string; state: string };
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
  before,
  restore = false,
}: FallbackInShard): NextInFallback | undefined {
  const { primary, replicas } = shard;
  if (!satisfies(primary.release, to)) {
    if (standby && standby.state !== 'syncing') return { kind: 'cut over', standby: standby.address };
    if (restore) return { kind: 'restore' };
    return {
      kind: 'refused',
      reason: `${primary.address} serves ${shard.name} on ${primary.release}, and there is no standby of ${to}${standby ? ' that was frozen before it' : ''}`,
    };
  }
  // It has the slots, and an attempt that ended did not come to see to the rest.
  if (primary.address === standby?.address && standby.state !== 'serving')
    return { kind: 'cut over', standby: standby.address };
  const others = replicas.filter(({ address }) => address !== standby?.address);
  const away = others.find(({ address, release }) => !satisfies(release, to) || pending.includes(address));
  if (away) return { kind: 'return', node: away };
  if (primary.address !== standby?.address) {
    if (pending.includes(primary.address)) return { kind: 'release primary' };
    return standby ? { kind: 'remove standby' } : undefined;
  }
  const linked = { ...shard, replicas: others };
  const successor =
    chooseSuccessor({ ...linked, replicas: others.filter(({ address }) => address === before) }, to) ??
    chooseSuccessor(linked, to);
  if (successor) return { kind: 'hand over', successor };
  const [first] = others;
  if (first) return { kind: 'await link', node: first };
  return {
    kind: 'refused',
    reason: `${primary.address}, the standby, serves ${shard.name} alone: there is no replica`,
  };
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
  standbys: readonly { shard: string; address: string; state: string }[];
  to: string;
}): ShardView[] =>
  topology.shards.filter((shard) => {
    const standby = standbys.find((it) => it.shard === shard.name);
    return needsRestore({ shard, to, ...(standby ? { standby } : {}) });
  });
