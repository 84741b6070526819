import { compareNumbers, formatRelease, release, type Release } from '../release.js';

/** What is known of one line of releases. Measured on real servers of that line, or from the source that is named. */
export interface ReleaseLine {
  /** `7.0` or `valkey-8.1`. */
  line: string;
  /** Version of the RDB that it saves and sends (rdb.h's RDB_VERSION; a test reads it off each server). */
  rdb: number;
  /** Reads every RDB up to `rdb`, apart from those that the other flavour numbered. */
  readsUpTo: number;
  /**
   * What it does on the cluster bus. `plain` knows no extension data and drops messages that carry them, silently;
   * `ifAnnounced` sends them once cluster-announce-hostname is set; `always` sends them to everybody; `ifUnderstood`
   * only to nodes that said they understand (redis#13401, mended by redis#13465 and valkey#52).
   */
  bus: 'plain' | 'ifAnnounced' | 'always' | 'ifUnderstood';
  /** It ends at its start where its nodes.conf has two shard ids for one shard (redis#12761). */
  refusesTwoShardIds?: true;
}

/**
 * The releases that redis-rollout knows, oldest first within a flavour. RDB versions 12 and up are Redis' own since the
 * two parted; Valkey went on at 80 with a magic of its own (`VALKEY080`) and refuses 12 to 79.
 */
export const releaseLines: readonly ReleaseLine[] = [
  { line: '5.0', rdb: 9, readsUpTo: 9, bus: 'plain' },
  { line: '6.0', rdb: 9, readsUpTo: 9, bus: 'plain' },
  { line: '6.2', rdb: 9, readsUpTo: 9, bus: 'plain' },
  { line: '7.0', rdb: 10, readsUpTo: 10, bus: 'ifAnnounced' },
  { line: '7.2', rdb: 11, readsUpTo: 11, bus: 'always', refusesTwoShardIds: true },
  { line: '7.4', rdb: 12, readsUpTo: 12, bus: 'always', refusesTwoShardIds: true },
  { line: '8.0', rdb: 12, readsUpTo: 12, bus: 'ifUnderstood' },
  { line: '8.2', rdb: 12, readsUpTo: 12, bus: 'ifUnderstood' },
  // Redis 7.2's code, and its bus.
  { line: 'valkey-7.2', rdb: 11, readsUpTo: 11, bus: 'always', refusesTwoShardIds: true },
  { line: 'valkey-8.0', rdb: 11, readsUpTo: 11, bus: 'ifUnderstood' },
  { line: 'valkey-8.1', rdb: 11, readsUpTo: 11, bus: 'ifUnderstood' },
  { line: 'valkey-9.0', rdb: 80, readsUpTo: 80, bus: 'ifUnderstood' },
  { line: 'valkey-9.1', rdb: 80, readsUpTo: 80, bus: 'ifUnderstood' },
];

/** The line that a release belongs to: `7.0` of `7.0.15`. */
export const lineOf = (text: string): string => {
  const { flavour, major, minor } = release(text);
  return formatRelease({ flavour, major, minor });
};

/** What is known of a release's line; undefined where nothing is. */
export const knownLine = (text: string): ReleaseLine | undefined => {
  const line = lineOf(text);
  return releaseLines.find((it) => it.line === line);
};

/** Does it drop bus messages that carry extension data, as releases before 7.0 do? */
export const dropsExtensions = (release: string): boolean => knownLine(release)?.bus === 'plain';

/** `5.0 to 8.2, valkey-7.2 to valkey-9.1`, for messages. */
export function knownReleases(): string {
  return (['redis', 'valkey'] as const)
    .map((flavour) => {
      const lines = releaseLines.map((it) => release(it.line)).filter((it) => it.flavour === flavour);
      const [first, last] = [lines.at(0), lines.at(-1)] as [Release, Release];
      return `${formatRelease(first)} to ${formatRelease(last)}`;
    })
    .join(', ');
}

/** Is `a` of an older line than `b`, within one flavour? Patches of one line are as old as each other. */
export function olderLine(a: string, b: string): boolean {
  const [x, y] = [release(lineOf(a)), release(lineOf(b))];
  return x.flavour === y.flavour ? compareNumbers(x, y) < 0 : x.flavour === 'redis';
}
