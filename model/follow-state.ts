/** What the previous release can't hold at all, by kind: `field TTL`, `vector set`. */
export interface NotRepresentable {
  kind: string;
  /** Keys that were seen to have it. */
  count: number;
  /** Some of them. */
  examples: string[];
}

/** How far one shard's follower is, as its activity writes it down again and again while it runs. */
export interface FollowState {
  shard: string;
  /** When it was so, Unix ms. */
  at: number;
  primary: string;
  standby: string;
  /** Bytes of the primary's stream that the standby does not have yet. */
  lagBytes: number;
  /** How long the standby has not been at the end of the stream, ms; 0 where it is. */
  lagMs: number;
  lagMsMax: number;
  /** Commands of the stream that were applied, and of these those that were written otherwise. */
  commands: number;
  rewritten: number;
  /** Keys that were copied again, and those that still have to be. */
  recopied: number;
  dirty: number;
  notRepresentable: NotRepresentable[];
  /** Why it does not follow at this moment; absent while it does. */
  trouble?: string;
}
