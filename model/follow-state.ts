/** What the previous release can't hold at all, by kind: `field TTL`, `vector set`. */
export interface NotRepresentable {
  what: string;
  count: number;
  /** Some of the keys. */
  examples: string[];
}

/** How far the comparison of a standby with its primary is, which goes on for as long as the standby is followed to. */
export interface StandbyComparison {
  /** Keys of the pass under way, and how many the primary said it had when it began. */
  keys: number;
  expectedKeys: number;
  /** Passes over all keys that came to their end; the last one's end (Unix ms), keys, and time taken. */
  passes: number;
  lastPass?: { at: number; keys: number; ms: number };
  /** Keys that differ now: each is copied again, and compared once more. */
  different: number;
  /** Keys that were ever found to differ, and those of them that were copied again and found equal. */
  found: number;
  repaired: number;
  /** Some of them, the last that were found. */
  examples: { key: string; what: string; repaired: boolean }[];
  /** By reason, of the last complete pass, or of the first while that is under way. */
  notCompared: NotRepresentable[];
  /** Why nothing is compared now. */
  waitsFor?: string;
  /** Where another attempt goes on. */
  resume?: ComparisonPoint;
}

export interface ComparisonPoint {
  /** SCAN's cursor means something to this very process only. */
  runIds: [primary: string, standby: string];
  stage: 'primary' | 'standby';
  db: number;
  cursor: string;
  begunAt: number;
  /** The keys that differ, base64. */
  open: { db: number; key: string; what: string; copies: number }[];
}

/** How far one shard's follower is, as its activity writes it down again and again while it runs. */
export interface FollowState {
  shard: string;
  /** When it was so, Unix ms. */
  at: number;
  /** `copying`: a fresh copy is made. `following`: linked, and applying. `waiting`: see `waitsFor`. */
  phase: 'starting' | 'copying' | 'following' | 'waiting';
  waitsFor?: string;
  /** Whom it follows, and for whom. */
  primary: string;
  standby: string;
  /** Bytes of the primary's stream that the standby does not have yet. */
  lagBytes: number;
  /** How long ago the primary was where the standby is, ms. */
  lagMs: number;
  lagMsMax: number;
  /** Commands of the stream that were applied, and of these those that were written otherwise. */
  commands: number;
  rewritten: number;
  /** Keys that were copied again, and those that still have to be. */
  recopied: number;
  dirty: number;
  notRepresentable: NotRepresentable[];
  /** Absent where nothing has been compared yet. */
  comparison?: StandbyComparison;
}

/** What the status says of a follower. */
export interface HowFar {
  lagBytes: number;
  lagMs: number;
  comparison?: ComparedKeys;
}

export type ComparedKeys = Pick<
  StandbyComparison,
  'keys' | 'expectedKeys' | 'passes' | 'lastPass' | 'different' | 'found' | 'repaired' | 'waitsFor'
>;

export function howFar({
  lagBytes,
  lagMs,
  comparison,
}: Pick<FollowState, 'lagBytes' | 'lagMs' | 'comparison'>): HowFar {
  if (!comparison) return { lagBytes, lagMs };
  const { keys, expectedKeys, passes, lastPass, different, found, repaired, waitsFor } = comparison;
  return {
    ...{ lagBytes, lagMs },
    comparison: {
      ...{ keys, expectedKeys, passes, different, found, repaired },
      ...(lastPass ? { lastPass } : {}),
      ...(waitsFor === undefined ? {} : { waitsFor }),
    },
  };
}
