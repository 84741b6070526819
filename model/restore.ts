import { formatDuration, formatMoment, formatSize } from './duration.js';
import type { ApprovalPolicy, Policy } from './policy.js';
import type { LossWindow, RestorePoint, RestoreRecord } from './evidence.js';
import type { ShardView } from './topology.js';
import type { FallbackAssessment } from './fallback-work.js';

/** A shard that only its backup could bring back. */
export interface Restorable {
  shard: string;
  /** Who serves it now. */
  primary: string;
  release: string;
  backup: RestorePoint;
  /** As it would be if writes ended now. */
  lossWindow: LossWindow;
}

/** Those of the shards without a way back that have a backup, each with what its restore would give up; and those that have none. */
export function restorables(
  found: Pick<FallbackAssessment, 'backups'>,
  bare: readonly ShardView[],
  now: string,
): { restorable: Restorable[]; without: ShardView[] } {
  const restorable = bare.flatMap(({ name: shard, primary }): Restorable[] => {
    const known = found.backups.find((it) => it.shard === shard);
    if (!known) return [];
    const { streamBytes, ...backup } = known;
    const lossWindow = windowOf(backup, now, streamBytes);
    return [{ shard, primary: primary.address, release: primary.release, backup, lossWindow }];
  });
  return { restorable, without: bare.filter(({ name }) => !restorable.some(({ shard }) => shard === name)) };
}

/** @param until when writes ended, or are looked at */
export const windowOf = ({ at }: Pick<RestorePoint, 'at'>, until: string, streamBytes?: number): LossWindow => ({
  ...{ from: at, until, ms: Math.max(0, Date.parse(until) - Date.parse(at)) },
  ...(streamBytes === undefined ? {} : { streamBytes }),
});

/**
 * How far a stream has gone on since a backup, bytes; undefined where the backup is of another history, and no number
 * says it. A primary that was promoted goes on counting where its history before ended, and says which that was.
 *
 * @param stream INFO replication of the shard's primary
 */
export function streamSince(
  { replid, offset }: Pick<RestorePoint, 'replid' | 'offset'>,
  stream: Readonly<Record<string, string>>,
): number | undefined {
  const now = Number(stream['master_repl_offset']);
  const ended = Number(stream['second_repl_offset']);
  const sameHistory =
    replid === stream['master_replid'] || (replid === stream['master_replid2'] && offset < ended && ended > 0);
  return sameHistory && now >= offset ? now - offset : undefined;
}

/** `every write since 2026-11-29 10:00:00 UTC: 2 h 5 min of them until 2026-… UTC, 1.2 MB of the replication stream` */
export function lossText({ from, until, ms, streamBytes }: LossWindow): string {
  const bytes =
    streamBytes === undefined
      ? 'how many bytes is not known, since the backup is of an earlier replication history'
      : `${formatSize(streamBytes)} of the replication stream`;
  return `every write after ${formatMoment(from)}, which is ${formatDuration(ms)} of them until ${formatMoment(until)} (${bytes})`;
}

/** What is said of a shard that its backup alone brings back: before anybody answers, and once it is done. */
export type RestoreSaid =
  | ({ state: 'asked' } & Restorable)
  | ({ state: 'restored' } & Pick<RestoreRecord, 'shard' | 'node' | 'release' | 'lossWindow' | 'keptAside'>);

/** What was said of the others, and the newest word of this one. */
export const saidLast = (all: readonly RestoreSaid[], said: RestoreSaid): RestoreSaid[] => [
  ...all.filter(({ shard }) => shard !== said.shard),
  said,
];

/** What would be restored, from what, and what that gives up; of what is restored, for whoever has to do without. */
export function restoreText(said: RestoreSaid): string {
  const { shard, release } = said;
  const lost = `Lost is ${lossText(said.lossWindow)}`;
  if (said.state === 'restored')
    return `${shard}: restored at ${said.node} on ${release}. ${lost}; the only copy of it is kept aside: ${said.keptAside.at}`;
  const { node, at, keys, bytes, replid, offset } = said.backup;
  return `${shard}, served by ${said.primary} on ${release}: from the backup of ${formatMoment(at)} (taken of ${node}: ${keys} keys, ${formatSize(bytes)}, replication id ${replid} at offset ${offset}). ${lost}.`;
}

/** Who decides where the policy says nothing: one person of any role, and not whoever asked for it. */
export function restoreApproval({ approvals, roles }: Pick<Policy, 'approvals' | 'roles'>): ApprovalPolicy {
  return approvals.restore ?? { roles: Object.keys(roles), quorum: 1, expires: DAY_MS, selfApproval: false };
}

const DAY_MS = 24 * 3_600_000;
