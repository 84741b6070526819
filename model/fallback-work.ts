import type { CutoverRecord, RestorePoint, RestoreRecord, ResyncRecord, VerifyResult } from './evidence.js';
import type { StandbySeen } from './gates/observation.js';
import type { Assessment, Order, ShardNow } from './work.js';

/** A node of the previous release a shard, outside of the topology: what a fallback without loss goes back to. */
export interface StandbyActivities {
  /** Makes it where there is none, beside `primary`, and has it follow until it has everything. `bytes`: memory in use. */
  addStandby(
    input: Order & { shard: string; primary: string },
  ): Promise<{ address: string; release: string; bytes: number }>;
  /**
   * Ends its following, before the shard is handed over, and makes it a member without slots. What the primary's stream
   * `replid` has after `offset` is still to be given to it.
   */
  freezeStandby(
    input: Order & { shard: string; primary: string },
  ): Promise<{ address: string; replid: string; offset: number }>;
  /** Forgotten by every node, ended, and its folder gone; nothing to do where there is none. */
  removeStandby(input: Order & { shard: string }): Promise<void>;
  readStandbys(input: Order): Promise<StandbyNow[]>;
}

/** A shard's standby, by the registry. */
export interface StandbyNow {
  shard: string;
  address: string;
  state: string;
  release: string;
  /** Why it can't be brought up to its shard's primary any more. */
  lost?: string;
}

/** A deployment that is to go back, `to` the release that it ran before. */
export interface FallbackAssessment extends Assessment {
  standbys: StandbyNow[];
  /** Of the shards, who can't be read. */
  awayIn?: { shard: string; address: string }[];
  /** Of the newest backup that is complete and that the release can load; how far each stream has gone on since, bytes. */
  backups: (RestorePoint & { streamBytes?: number })[];
  /** Why it is not known which there are. */
  backupsUnread?: string;
  /** Restores that somebody approved and that were interrupted: whoever serves the shard may be down. */
  unfinished?: ShardRestore[];
}

/** A shard to be restored from its backup, as it was approved. */
export interface ShardRestore {
  shard: string;
  /** Who serves it: the node that the backup goes to. */
  primary: string;
  to: string;
  backup: RestorePoint;
}

export interface FallbackActivities {
  /** Reads the deployment, and changes nothing: which release it would go back to, and what each shard has for it. */
  assessFallback(input: Order & { shards: string[] }): Promise<FallbackAssessment>;
  /** A shard as it is now, whoever of it can't be read; its standby is seen as a node where it has slots. */
  lookBack(input: Order & { shard: string }): Promise<ShardNow & { standby?: StandbyNow; away?: string[] }>;
  /** The standbys as they are now, each with what its follower wrote down last. */
  seeStandbys(input: Order): Promise<StandbySeen[]>;
  /** Gives the shard's slots to its standby, once that has every write that was acknowledged; safe to run again. */
  cutOver(input: Order & { shard: string; primary: string; standby: string }): Promise<CutoverRecord>;
  /**
   * Gives up what a shard was written after its backup: its primary's dataset is saved and kept aside, and the backup served
   * in its place, by the release `to`; then its replicas come back to that, as by `returnNode`. Goes on from wherever an
   * earlier attempt got to.
   */
  restoreShard(input: Order & ShardRestore): Promise<RestoreRecord>;
  /**
   * Brings a node of the shard back to the release that it ran before the upgrade, as a replica of whoever serves the shard
   * (`primary`, or who took over from it): emptied, synced in full, compared, and given back. `to`: that release.
   */
  returnNode(
    input: Order & { shard: string; node: string; primary: string; to: string },
  ): Promise<ResyncRecord & { verified: VerifyResult }>;
}

export interface FollowActivities {
  /** Gives a shard's standby what its primary is given, until it is told to end or the standby serves. */
  follow(input: Order & { shard: string }): Promise<void>;
}
