import type { BackupEntry } from '../../../integrations/backup-store.js';
import type { PointVerdict } from '../../../model/recovery-point.js';
import { isWhole, totalsOf, type BackupManifest, type BackupVerdict } from '../../../model/backup-manifest.js';
import type { BackupTier } from '../../../model/backup-tiers.js';
import { formatDuration, formatSize } from '../../../model/duration.js';
import { columns } from './columns.js';

/** A backup as `rollout backups` lists it. */
export interface ListedBackup {
  backup: string;
  /** `unproven`: it was never restored. `read`: opened and read whole, not loaded by a server. */
  state: 'proven' | 'read' | 'unproven' | 'damaged';
  problem?: string;
  startedAt?: string;
  startedBy?: string;
  /** Of the schedule that took it. */
  tier?: BackupTier;
  /** Taken by an upgrade, before it started this release. */
  before?: string;
  /** Of some of the deployment's shards only. */
  partial?: true;
  shards?: number;
  keys?: number;
  /** Of the snapshots, and of what lies in the target. */
  bytes?: number;
  sealedBytes?: number;
  cutWithinMs?: number;
  encrypted?: boolean;
  /** Ids of the keys that open it. */
  keyIds?: string[];
  releases?: string[];
  verifiedAt?: string;
  /** What was compared with the backup once servers had loaded it: keys that are there, and of those the values. */
  compared?: { keys: number; values: number };
}

const states = { restored: 'proven', read: 'read', damaged: 'damaged' } as const;

export function listedBackup(entry: BackupEntry | { backup: string; problem: string }): ListedBackup {
  if ('problem' in entry) return { ...entry, state: 'damaged' };
  const { manifest, verdict } = entry;
  const { backup, startedAt, startedBy, tier, before, cutWithinMs, shards } = manifest;
  return {
    backup,
    state: verdict === undefined ? 'unproven' : states[verdict.result],
    ...(verdict?.problem === undefined ? {} : { problem: verdict.problem }),
    ...{ startedAt, startedBy, shards: shards.length, ...totalsOf(manifest), cutWithinMs, encrypted: true },
    ...(tier === undefined ? {} : { tier }),
    ...(before === undefined ? {} : { before }),
    ...(isWhole(manifest) ? {} : { partial: true }),
    keyIds: unique(shards.map(({ key }) => key)),
    releases: unique(shards.map(({ release = 'unknown' }) => release)),
    ...(verdict === undefined ? {} : { verifiedAt: verdict.at, ...comparedIn(verdict) }),
  };
}

/** Of all shards, where each was compared. */
function comparedIn({ shards }: BackupVerdict): Pick<ListedBackup, 'compared'> {
  const all = shards.flatMap(({ compared }) => compared ?? []);
  if (all.length === 0 || all.length < shards.length) return {};
  const sum = (what: 'keys' | 'values'): number => all.reduce((total, it) => total + it[what], 0);
  return { compared: { keys: sum('keys'), values: sum('values') } };
}

/** `all values`, `10,000 values`, or of a verdict before values were compared `keys counted`. */
function comparedText(compared: ListedBackup['compared']): string {
  if (compared === undefined) return 'keys counted';
  return compared.values === compared.keys ? 'all values' : `${compared.values.toLocaleString('en')} values`;
}

const shardsText = (count: number): string => `${count} ${count === 1 ? 'shard' : 'shards'}`;

const unique = (all: readonly string[]): string[] => [...new Set(all)].sort();

export function backupsView(
  backups: readonly ListedBackup[],
  { deployment, target, now, width }: { deployment: string; target: string; now: number; width: number },
): string[] {
  if (backups.length === 0)
    return [`No backups of ${deployment} in ${target}.`, `Take one: rollout backup ${deployment}`];
  const rows = backups.map((it) => [
    it.backup,
    it.startedAt === undefined ? '' : formatDuration(now - Date.parse(it.startedAt)),
    it.tier ?? (it.before === undefined ? '' : `before ${it.before}`),
    it.shards === undefined ? '' : `${it.shards}${it.partial ? ' only' : ''}`,
    it.keys === undefined ? '' : it.keys.toLocaleString('en'),
    it.sealedBytes === undefined ? '' : formatSize(it.sealedBytes),
    it.keyIds?.join(' ') ?? '',
    it.problem !== undefined
      ? `${it.state}: ${it.problem}`
      : it.state === 'proven'
        ? `${it.state}, ${comparedText(it.compared)}`
        : it.state,
  ]);
  const head = ['backup', 'age', 'tier', 'shards', 'keys', 'size', 'encrypted with', 'proven'];
  return [`Backups of ${deployment} in ${target}`, ...columns([head, ...rows], { width, indent: 2 })];
}

export function takenView(manifest: BackupManifest): string[] {
  const { backup, deployment, startedAt, endedAt, cutWithinMs, shards } = manifest;
  const { keys, bytes, sealedBytes } = totalsOf(manifest);
  const primaries = shards.filter(({ role }) => role === 'primary').map(({ shard }) => shard);
  return [
    `Backup ${backup} of ${deployment}: ${shardsText(shards.length)}, ${keys.toLocaleString('en')} keys, ${formatSize(bytes)} (${formatSize(sealedBytes)} in the target), taken in ${formatDuration(Date.parse(endedAt) - Date.parse(startedAt))}.`,
    `Its shards were cut within ${formatDuration(cutWithinMs)}.`,
    ...(primaries.length === 0 ? [] : [`Taken from the primary, for want of a replica: ${primaries.join(', ')}.`]),
  ];
}

export function provenView(deployment: string, verdict: BackupVerdict): string {
  const { backup, result, shards } = verdict;
  const keys = shards.reduce((sum, it) => sum + it.keys, 0).toLocaleString('en');
  const what = `Backup ${backup} of ${deployment}`;
  if (result === 'restored')
    return `${what} is proven: ${keys} keys of ${shardsText(shards.length)}, each loaded by a server of its release; ${comparedSentence(verdict)}.`;
  const without = shards.filter(({ restoredBy }) => restoredBy === undefined).map(({ shard }) => shard);
  return `${what} was read whole, ${keys} keys. No server of its release is here that could load ${without.join(', ')}: npm run setup, or platform.servers.`;
}

function comparedSentence(verdict: BackupVerdict): string {
  const { compared } = comparedIn(verdict);
  if (!compared) return 'keys were counted';
  const { keys, values } = compared;
  return values === keys
    ? `${values.toLocaleString('en')} values and expiries compared with the backup, 0 different`
    : `${keys.toLocaleString('en')} keys looked for, ${values.toLocaleString('en')} values and expiries compared with the backup, 0 different`;
}

export function provenPointView(deployment: string, { point, shards }: PointVerdict): string[] {
  const keys = shards.reduce((sum, it) => sum + it.keys, 0).toLocaleString('en');
  return [
    `${point.asked} can be had: ${keys} keys of ${shardsText(shards.length)} of ${deployment}, from backup ${point.backup} and the archive behind it.`,
    ...point.shards.map(({ shard, offset, at }) => `  ${shard} up to offset ${offset}, which had arrived by ${at}`),
  ].map((line, i) => (i === 0 ? line.charAt(0).toUpperCase() + line.slice(1) : line));
}
