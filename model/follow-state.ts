/** What the previous release can't hold at all, by kind: `field TTL`, `vector set`. */
export interface NotRepresentable {
  what: string;
  count: number;
  /** Some of the keys. */
  examples: string[];
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
}
