import { formatDuration, formatSize } from './duration.js';
import type { RecoveryPoint } from './recovery-point.js';
import type { SlotRange } from './topology.js';

/** What a key becomes that is there already: then nothing is loaded at all, it stays as it is, or the backup's takes its place. */
export const existingChoices = ['refuse', 'keep', 'replace'] as const;
export type Existing = (typeof existingChoices)[number];

/** What a restore is about, in every one of its activities. */
export interface RestoreOf {
  backup: string;
  /** The deployment that it is a backup of. */
  from: string;
  /** Brought on by the archive: what was asked for, and each shard's offset. */
  point?: Pick<RecoveryPoint, 'asked' | 'shards'>;
  /** As KEYS takes it. */
  keys?: string;
  slots?: SlotRange[];
}

/** A primary that would be written to. */
export interface RestoreTarget {
  shard: string;
  address: string;
  release: string;
  keys: number;
  usedMemoryBytes: number;
  /** 0: without a limit. */
  maxMemoryBytes: number;
  /** What its user may not do there, of what loading takes. */
  mayNot?: { user: string; commands: string[] };
}

export type Lacking = Record<string, { count: number; examples: string[] }>;

/** What would come of one shard of the backup, which was read whole for it. */
export interface ShardForecast {
  shard: string;
  /** In the backup, and those of them that are meant. */
  keys: number;
  selected: number;
  /** Of the selected. */
  expired: number;
  /** That the target has now. */
  present: number;
  /** That it can't hold, or of which it can't hold something. */
  lacking: Lacking;
  functions: number;
  /** That the target has in the shard's slots and the backup has not, where these are to be removed; some of them. */
  others?: { count: number; examples: string[] };
  /** Memory of the server that wrote it, where it said so, bytes. */
  usedMemoryBytes?: number;
  /** Of keys and values that would be written, by the primary that serves their slots now. */
  bytesTo: Record<string, number>;
}

/** What a dry run says. */
export interface RestoreForecast extends RestoreOf {
  deployment: string;
  takenAt: string;
  existing: Existing;
  /** What is not in the backup is removed. */
  exactly: boolean;
  shards: ShardForecast[];
  targets: RestoreTarget[];
  /** What would be written, replaced, left as it is, left out. */
  totals: Totals;
  /** Where it would not fit, by an estimate. */
  tooLarge: string[];
}

export interface Totals {
  keys: number;
  selected: number;
  expired: number;
  present: number;
  written: number;
  replaced: number;
  kept: number;
  /** Not in the backup. */
  removed: number;
  /** In the target now. */
  targetKeys: number;
}

export function totalsOfForecast(
  shards: readonly ShardForecast[],
  targets: readonly RestoreTarget[],
  existing: Existing,
): Totals {
  const sum = (of: (shard: ShardForecast) => number): number => shards.reduce((total, it) => total + of(it), 0);
  const [selected, expired, present] = [sum((it) => it.selected), sum((it) => it.expired), sum((it) => it.present)];
  const due = selected - expired;
  return {
    ...{ keys: sum((it) => it.keys), selected, expired, present },
    written: existing === 'replace' ? due : due - present,
    replaced: existing === 'replace' ? present : 0,
    kept: existing === 'replace' ? 0 : present,
    removed: sum((it) => it.others?.count ?? 0),
    targetKeys: targets.reduce((total, { keys }) => total + keys, 0),
  };
}

/** A server's own needs, which its memory has beside the data, bytes. */
const EMPTY_SERVER_BYTES = 1024 * 1024;

/**
 * Primaries that have less room than what would come to them took where it was saved: in proportion to the bytes, less what
 * is replaced. An estimate, since other releases hold the same data otherwise.
 */
export function tooLargeFor(
  shards: readonly ShardForecast[],
  targets: readonly RestoreTarget[],
  existing: Existing,
): string[] {
  return targets.flatMap((target) => {
    const { address, keys, usedMemoryBytes, maxMemoryBytes } = target;
    if (maxMemoryBytes === 0) return [];
    const needed = shards.reduce((sum, { bytesTo, usedMemoryBytes: used = 0, keys, selected }) => {
      const all = Object.values(bytesTo).reduce((total, bytes) => total + bytes, 0);
      const data = Math.max(0, used - EMPTY_SERVER_BYTES) * (keys === 0 ? 0 : selected / keys);
      return sum + (all === 0 ? 0 : data * ((bytesTo[address] ?? 0) / all));
    }, 0);
    const { present, targetKeys } = totalsOfForecast(shards, targets, existing);
    const replaced =
      existing === 'replace' && keys > 0 && targetKeys > 0 ? usedMemoryBytes * Math.min(1, present / targetKeys) : 0;
    const room = Math.max(0, maxMemoryBytes - usedMemoryBytes) + replaced;
    if (needed <= room) return [];
    return [
      `${address} has room for ${formatSize(room)} (maxmemory ${formatSize(maxMemoryBytes)}), and about ${formatSize(Math.round(needed))} would come to it`,
    ];
  });
}

const count = (n: number, what: string): string => `${n.toLocaleString('en')} ${what}${n === 1 ? '' : 's'}`;

export function sourceText({ backup, from, point, keys, slots }: RestoreOf, deployment: string): string {
  const which = [
    ...(keys === undefined ? [] : [`keys like '${keys}'`]),
    ...(slots === undefined ? [] : [`slots ${slots.map(([a, b]) => (a === b ? `${a}` : `${a}-${b}`)).join(', ')}`]),
  ];
  const archived = point === undefined ? '' : `, with the archive behind it: ${point.asked}`;
  return `backup ${backup}${from === deployment ? '' : ` of ${from}`}${archived}${which.length === 0 ? '' : ` (${which.join(', ')})`}`;
}

/** What would happen, a line each; the first is the whole in one sentence. */
export function forecastText(forecast: RestoreForecast): string[] {
  const { deployment, totals, shards, targets, tooLarge, existing, exactly } = forecast;
  const { keys, selected, expired, present, written, replaced, targetKeys } = totals;
  const what = selected === keys ? count(keys, 'key') : `${selected.toLocaleString('en')} of its ${count(keys, 'key')}`;
  const functions = Math.max(0, ...shards.map((it) => it.functions));
  return [
    `${sourceText(forecast, deployment)}: ${what}, of which ${count(written, 'key')} would be written to ${deployment}.`,
    ...(expired > 0 ? [`${count(expired, 'key')} expired since it was taken: left out.`] : []),
    targetKeys === 0
      ? `${deployment} has no keys now.`
      : present === 0
        ? `${deployment} has ${count(targetKeys, 'key')} now, none of them in what is restored${exactly ? '' : ': they stay'}.`
        : `${deployment} has ${count(targetKeys, 'key')} now. ${count(present, 'key')} of the backup ${present === 1 ? 'is' : 'are'} there already: ${
            existing === 'replace'
              ? `${replaced.toLocaleString('en')} would be OVERWRITTEN.`
              : existing === 'keep'
                ? 'they stay as they are.'
                : 'it would be refused; --keep leaves them as they are, --replace overwrites them.'
          }`,
    ...(exactly ? [removedText(forecast)] : []),
    ...(functions > 0
      ? [`${count(functions, 'function library').replace('librarys', 'libraries')} would be loaded.`]
      : []),
    ...lackingText(lackingOf(shards)),
    ...tooLarge.map((it) => `It does not fit: ${it}.`),
    ...forbidden(targets).map((it) => `It would be refused: ${it}.`),
  ];
}

/** Where the user lacks a right, and what grants it. */
export const forbidden = (targets: readonly RestoreTarget[]): string[] =>
  targets.flatMap(({ address, mayNot }) => {
    if (mayNot === undefined) return [];
    const { user, commands } = mayNot;
    const rules = commands.map((it) => (it.startsWith('~') ? it : `+${it.toLowerCase().replace(' ', '|')}`));
    return [
      `user '${user}' may not use ${commands.join(', ')} at ${address}, which a restore needs: ACL SETUSER ${user} ${rules.join(' ')}`,
    ];
  });

/** What is removed is not to be got back. */
function removedText({ deployment, totals, shards }: RestoreForecast): string {
  const { removed } = totals;
  if (removed === 0) return `${deployment} has nothing in what is restored that is not in the backup.`;
  const some = shards.flatMap(({ others }) => others?.examples ?? []).slice(0, 5);
  return `${count(removed, 'key')} of ${deployment} ${removed === 1 ? 'is' : 'are'} not in the backup, or ${removed === 1 ? 'has' : 'have'} expired in it, and would be REMOVED (${some.join(', ')}${removed > some.length ? ', …' : ''}).`;
}

export const lackingOf = (all: readonly { lacking: Lacking }[]): Lacking => {
  const found: Lacking = {};
  for (const { lacking } of all)
    for (const [what, { count, examples }] of Object.entries(lacking)) {
      const sum = (found[what] ??= { count: 0, examples: [] });
      sum.count += count;
      sum.examples = [...sum.examples, ...examples].slice(0, 5);
    }
  return found;
};

export const lackingText = (lacking: Lacking): string[] =>
  Object.entries(lacking).map(
    ([what, { count, examples }]) =>
      `Not representable there: ${what}, of ${count.toLocaleString('en')}${examples.length === 0 ? '' : ` (${examples.join(', ')}${count > examples.length ? ', …' : ''})`}.`,
  );

/** What came of one shard of the backup. */
export interface RestoredShard {
  shard: string;
  selected: number;
  written: number;
  kept: number;
  expired: number;
  refused: number;
  lacking: Lacking;
  bytes: number;
  tookMs: number;
}

/** What a comparison of the target with one shard of the backup found. */
export interface ComparedShard {
  shard: string;
  /** That should be there, and whose values were compared. */
  keys: number;
  compared: number;
  same: number;
  /** Other than in the backup: kept as they were, or written since. */
  different: number;
  missing: number;
  /** Expired since. */
  expired: number;
  /** Of those that are the same, the largest distance of an expiry from the backup's, ms: not above what was allowed. */
  expiryOffMs?: number;
  examples: string[];
}

/** What was removed of the target because one shard of the backup has it not. */
export interface RemovedOthers {
  shard: string;
  removed: number;
  /** Written again while it was removed, or since. */
  left: number;
  examples: string[];
}

/** How a restore ended. */
export interface RestoreResult extends RestoreOf {
  deployment: string;
  existing: Existing;
  confirmedBy?: string;
  restored: RestoredShard[];
  compared: ComparedShard[];
  /** Where only what is in the backup was to be there. */
  removed?: RemovedOthers[];
  /** The target was written to by others meanwhile, or may have been: what differs is theirs. */
  written: { keys: number; keysPerSecond: number; tookMs: number };
  liveWriters: boolean;
}

export function resultText({
  deployment,
  restored,
  compared,
  written,
  liveWriters,
  existing,
  removed,
  ...of
}: Omit<RestoreResult, 'compared'> & { compared: readonly ComparedShard[] }): string[] {
  const sum = <T>(all: readonly T[], value: (it: T) => number): number =>
    all.reduce((total, it) => total + value(it), 0);
  const [kept, expired, refused] = [
    sum(restored, (it) => it.kept),
    sum(restored, (it) => it.expired),
    sum(restored, (it) => it.refused),
  ];
  const [same, different, missing] = [
    sum(compared, (it) => it.same),
    sum(compared, (it) => it.different),
    sum(compared, (it) => it.missing),
  ];
  const others = different + missing;
  return [
    `${deployment}: restored from ${sourceText(of, deployment)}: ${count(written.keys, 'key')} written in ${formatDuration(written.tookMs)} (${written.keysPerSecond.toLocaleString('en')} a second)${kept > 0 ? `, ${kept.toLocaleString('en')} kept as they were` : ''}${expired > 0 ? `, ${expired.toLocaleString('en')} had expired` : ''}${refused > 0 ? `, ${refused.toLocaleString('en')} that it can't hold` : ''}.`,
    `Compared: ${count(same, 'key')} as in the backup${others === 0 ? '' : `, ${different.toLocaleString('en')} other than in it and ${missing.toLocaleString('en')} not there: ${existing === 'replace' || !liveWriters ? '' : 'kept, or '}${liveWriters ? 'written since by others' : 'kept as they were'}`}.`,
    ...(removed === undefined
      ? []
      : [
          `Removed: ${count(
            sum(removed, (it) => it.removed),
            'key',
          )} that ${sum(removed, (it) => it.removed) === 1 ? 'was' : 'were'} not in the backup${leftText(sum(removed, (it) => it.left))}.`,
        ]),
    ...lackingText(lackingOf(restored)),
  ];
}

const leftText = (left: number): string =>
  left === 0 ? '' : `; ${left.toLocaleString('en')} were written since by others, and are there`;

/** How far a restore is. */
export interface RestoreProgress {
  backup: string;
  from: string;
  /** Loading, or comparing. */
  doing: 'reading' | 'loading' | 'comparing';
  /** Keys to go through, and those done. */
  keys: number;
  done: number;
  keysPerSecond?: number;
  leftMs?: number;
  shards: { shard: string; keys: number; done: number }[];
}

/** What the work on a shard says with its heartbeats. */
export interface RestoreBeat {
  shard: string;
  doing: RestoreProgress['doing'];
  /** Keys gone through, and to go through. */
  done: number;
  expected: number;
  /** Since this attempt began. */
  keysPerSecond: number;
}

/** With what was heard a moment ago of the shards that are being worked on. */
export function withBeats(progress: RestoreProgress, beats: readonly RestoreBeat[]): RestoreProgress {
  const now = beats.filter(({ doing }) => doing === progress.doing);
  const shards = progress.shards.map((it) => {
    const beat = now.find(({ shard }) => shard === it.shard);
    return beat && beat.done > it.done ? { ...it, done: beat.done } : it;
  });
  const done = shards.reduce((sum, it) => sum + it.done, 0);
  const rate = now.reduce((sum, it) => sum + it.keysPerSecond, 0);
  const left =
    rate > 0 ? { keysPerSecond: rate, leftMs: Math.round((Math.max(0, progress.keys - done) / rate) * 1000) } : {};
  return { ...progress, done, shards, ...left };
}

/** `loading 1,204,331 of 3,000,000 keys (40 %), 151,000 a second, 12 s left` */
export function progressText({ doing, keys, done, keysPerSecond, leftMs }: RestoreProgress): string {
  const share = keys === 0 ? 100 : Math.floor((100 * done) / keys);
  const rate = keysPerSecond === undefined ? '' : `, ${keysPerSecond.toLocaleString('en')} a second`;
  const left = leftMs === undefined ? '' : `, ${formatDuration(leftMs)} left`;
  return `${doing} ${done.toLocaleString('en')} of ${keys.toLocaleString('en')} keys (${share} %)${rate}${left}`;
}
