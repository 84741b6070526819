import { backupTiers, isAtLeast, type BackupTier } from './backup-tiers.js';
import { formatDuration } from './duration.js';

export interface RetentionPolicy extends Readonly<Record<BackupTier, number>> {
  /** Whatever is no hourly one stays so long, ms. */
  atLeast: number;
}

/** What is known of a backup that has a manifest. */
export interface KnownBackup {
  backup: string;
  /** Unix ms. */
  startedAt: number;
  /** Absent: somebody asked for it; or its manifest can't be read. */
  tier?: BackupTier | undefined;
  /** An upgrade took it, whose fallback may need it. */
  ofUpgrade?: boolean;
  /** Of some shards only: no deployment could be restored from it alone. */
  partial?: boolean;
  /** `good`: nothing is known against it. */
  state: 'proven' | 'good' | 'damaged';
}

export interface Retained {
  backup: string;
  stays: boolean;
  /** As a sentence goes on after `it stays: ` or `it goes: `. */
  reason: string;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** The first day that is known to computers was a Thursday. */
const THURSDAY = 3;

const periodOf: Readonly<Record<BackupTier, (at: number) => number>> = {
  hourly: (at) => Math.floor(at / HOUR_MS),
  daily: (at) => Math.floor(at / DAY_MS),
  weekly: (at) => Math.floor((Math.floor(at / DAY_MS) + THURSDAY) / 7),
  monthly: (at) => new Date(at).getUTCFullYear() * 12 + new Date(at).getUTCMonth(),
};
const periodName: Readonly<Record<BackupTier, string>> = {
  hourly: 'hours',
  daily: 'days',
  weekly: 'weeks',
  monthly: 'months',
};

/**
 * Which backups stay and which go, each with its reason, in the order in which they were given. Of each hour, day, week and
 * month (UTC) the newest counts, so that one which was taken again pushes none out. Nothing goes that somebody might need
 * because of what is wrong with the others: not while there is no good one, not the newest good, not the newest proven, and
 * none of a time that has not come.
 *
 * @param options.now Unix ms
 * @param options.ofUpgrades so many of those that upgrades took stay, the newest
 * @param options.begins ids of those that what is kept of the archive begins with
 */
export function retention(
  backups: readonly KnownBackup[],
  policy: RetentionPolicy,
  { now, begins = new Set(), ofUpgrades = 0 }: { now: number; begins?: ReadonlySet<string>; ofUpgrades?: number },
): Retained[] {
  const past = backups.filter(({ startedAt }) => startedAt <= now).sort(newestFirst);
  const good = past.filter(({ state, partial }) => state !== 'damaged' && !partial);
  const lastOfUpgrades = past.filter(({ ofUpgrade }) => ofUpgrade).slice(0, ofUpgrades);
  const [lastGood] = good;
  const lastProven = good.find(({ state }) => state === 'proven');
  const places = new Map<KnownBackup, string>();
  for (const tier of [...backupTiers].reverse())
    for (const [i, it] of newestOfEach(tier, good).slice(0, policy[tier]).entries())
      if (!places.has(it)) places.set(it, `${i + 1} of the ${policy[tier]} ${periodName[tier]} that are kept`);

  const reasonToStay = (it: KnownBackup): string | undefined => {
    if (it.startedAt > now) return 'by its own time it is not taken yet: clocks have jumped';
    if (!lastGood) return 'there is no good one';
    if (it === lastGood) return 'it is the newest good one';
    if (it === lastProven) return 'it is the newest proven one';
    if (lastOfUpgrades.includes(it)) return `an upgrade took it: of these the newest ${ofUpgrades} stay (backup.keep)`;
    if (begins.has(it.backup)) return 'what is kept of the archive begins with it';
    const place = places.get(it);
    if (place !== undefined) return place;
    if (it.tier === 'hourly' && it.state !== 'damaged') return undefined;
    const left = it.startedAt + policy.atLeast - now;
    return left > 0
      ? `it is younger than ${formatDuration(policy.atLeast)}${it.state === 'damaged' ? ', and damaged: to be looked at' : ''}`
      : undefined;
  };
  return backups.map((it) => {
    const stays = reasonToStay(it);
    return { backup: it.backup, stays: stays !== undefined, reason: stays ?? reasonToGo(it, policy) };
  });
}

function reasonToGo({ tier, state, ofUpgrade }: KnownBackup, { atLeast, ...kept }: RetentionPolicy): string {
  if (state === 'damaged') return `it is damaged, and older than ${formatDuration(atLeast)}`;
  if (ofUpgrade) return `an upgrade took it more than ${formatDuration(atLeast)} ago, and later ones took newer ones`;
  if (tier === undefined) return `somebody asked for it more than ${formatDuration(atLeast)} ago`;
  const newer = `there are ${kept[tier]} newer ${periodName[tier]}`;
  return tier === 'hourly' ? newer : `${newer}, and it is older than ${formatDuration(atLeast)}`;
}

const newestFirst = (a: KnownBackup, b: KnownBackup): number =>
  b.startedAt - a.startedAt || b.backup.localeCompare(a.backup, 'en');

function newestOfEach(tier: BackupTier, newest: readonly KnownBackup[]): KnownBackup[] {
  const seen = new Set<number>();
  return newest.filter((it) => {
    const period = periodOf[tier](it.startedAt);
    if (!isAtLeast(it.tier, tier) || seen.has(period)) return false;
    seen.add(period);
    return true;
  });
}

/**
 * Is a backup to be proven, that of its tier every so many are?
 *
 * @param every 0: none; 1: each
 */
export function proofDue(
  backup: string,
  tier: BackupTier,
  { backups, every }: { backups: readonly KnownBackup[]; every: number },
): boolean {
  if (every === 0) return false;
  const sameTier = backups.filter((it) => it.tier === tier || it.backup === backup).sort(newestFirst);
  const from = sameTier.findIndex((it) => it.backup === backup);
  const before = sameTier.slice(from + 1);
  const proven = before.findIndex(({ state }) => state === 'proven');
  return (proven === -1 ? Infinity : proven + 1) >= every;
}
