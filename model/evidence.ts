/** What the probe, the ledger and the verification found: the data behind the report's charts and verdict. */

/** One second of one shard as one client saw it; latencies in ms, measured from the scheduled time (open loop). */
export interface ProbeSecond {
  /** Unix time of the second, s. */
  t: number;
  /** Seconds that this row covers, where quiet neighbours were joined to keep a long soak's report small (default 1). */
  span?: number;
  ok: number;
  failed: number;
  p50: number;
  p99: number;
  max: number;
}

export interface ProbeGap {
  /** Longest time without an acknowledged operation, ms, and when it began (Unix ms). */
  ms: number;
  at: number;
}

export interface ProbeSeries {
  shard: string;
  operation: 'write' | 'read';
  client: 'ioredis' | 'raw';
  operations: number;
  failed: number;
  /** Failures by kind: `CLUSTERDOWN`, `timeout`, `connection`, … */
  failures: Record<string, number>;
  latency: { p50: number; p90: number; p99: number; p999: number; max: number };
  longestGap: ProbeGap;
  /** The ten longest gaps, longest first. */
  gaps: ProbeGap[];
  seconds: ProbeSecond[];
}

export interface LedgerResult {
  acknowledged: number;
  /** Read back and found as written. */
  found: number;
  lost: number;
  /** Neither found nor lost: acknowledged after the backup from which their shard was restored, as people had approved. */
  givenUp?: number;
  /** First hundred that were lost: key, what was written, what was found. */
  examples: { key: string; type: string; expected: string; found: string }[];
  byType: Record<string, { acknowledged: number; lost: number }>;
  /** Of those found: read back and removed during the run already, so that a long soak does not fill the deployment. */
  retired?: number;
}

/** A time in which no probe ran: what clients saw then is not known, and no gap is claimed for it. Unix ms. */
export interface ProbeInterruption {
  from: number;
  until: number;
  reason: string;
}

export interface ProbeReport {
  startedAt: string;
  endedAt: string;
  /** Operations a second of each series: the policy's, or fewer where there are very many shards. */
  rate?: number;
  series: ProbeSeries[];
  ledger?: LedgerResult;
  interruptions?: ProbeInterruption[];
  /** The longest times in which the probe's own process stood still: they are in the gaps, but no fault of a server. */
  stalls?: ProbeGap[];
  /** What was not measured, and why. */
  notes?: string[];
}

/** What one shard's clients saw in the last ten seconds: what the latency and error-rate gates look at. */
export interface ProbeRecent {
  shard: string;
  /** Operations scheduled in the window. */
  operations: number;
  failed: number;
  /** 99th percentile of the window, ms; an operation still under way counts with its age. */
  p99Ms: number;
  /** failed / operations, 0 to 1. */
  errorRate: number;
  /** Longest gaps since the start, the one still open included, ms. */
  longestWriteGapMs: number;
  longestReadGapMs: number;
}

/** One comparison of a primary with one of its replicas. */
export interface VerifyResult {
  shard: string;
  primary: string;
  replica: string;
  mode: 'all' | 'sample';
  keys: number;
  bytes: number;
  different: number;
  /** First hundred differences that did not settle. */
  examples: { key: string; what: string }[];
  /** Largest difference of an expiry time seen, ms. */
  ttlDriftMs: number;
  durationMs: number;
  /** Keys of modules' types, by type: only their presence and expiry were compared. */
  notComparable?: Record<string, number>;
  /** Keys rewritten so often that no two reads could be set against each other: neither equal nor different. */
  unsettled?: number;
  /** The first ten of these, as a person can read them. */
  unsettledKeys?: string[];
  /** Keys whose expiry was further off than the tolerance and was set right by the primary. */
  repaired?: number;
  /** Function libraries compared (7.0 and newer); differing ones count as `different`. */
  functions?: number;
  /** Absent or true: everything that the mode asks for was compared. */
  complete?: boolean;
  /** What was left out, and why. */
  statement?: string;
}

export interface ConfigurationDifference {
  node: string;
  /** `renamed`, `removed`, `added` by the version; `changed` should be empty. */
  kind: 'renamed' | 'removed' | 'added' | 'changed';
  directive: string;
  before?: string;
  after?: string;
  note?: string;
}

export interface ResyncRecord {
  node: string;
  shard: string;
  kind: 'partial' | 'full';
  ms: number;
  /** The release that it came back on. */
  release?: string;
}

export interface HandoverRecord {
  shard: string;
  from: string;
  to: string;
  mode: 'safe' | 'fast';
  /** Why `fast` was not taken, where it was asked for. */
  fellBack?: string;
  /** From the command until the new primary was seen to hold the slots, ms. */
  ms: number;
  at: string;
}

/** A shard's slots given to its standby, of an older release. */
export interface CutoverRecord {
  shard: string;
  from: string;
  to: string;
  at: string;
  /** How long writes were held at the old primary, ms; 0 where an earlier attempt had done it all. */
  gapMs: number;
  /** How long of it the standby took to the end of the old primary's stream, ms. */
  drainedMs: number;
  /** That end. */
  offset: number;
  /** An earlier attempt had taken the slots: what it measured went with it. */
  already: boolean;
}

/** A fallback: what asked for it, and what it came to. */
export interface IncidentRecord {
  /** A person, or `policy`. */
  by: string;
  reason: string;
  /** Of policy.fallbackWhen, the gate that had not passed for so long. */
  gate?: string;
  /** The release that it went back from, and to. */
  from: string;
  to: string;
  at: string;
  endedAt?: string;
  /** What going back would lose when it began. */
  class: 'lossless' | 'lossless-except' | 'restore-only';
  /** Each shard that was taken back: how, how long it took, ms, how many nodes it gave back, and how long writes were held. */
  shards: {
    shard: string;
    /** `restored`: from its backup, `lossWindow` being what that cost. */
    way?: 'reverted' | 'cut over' | 'restored';
    ms: number;
    nodes: number;
    cutoverGapMs?: number;
    lossWindow?: LossWindow;
  }[];
}

/** What a restore gives up: every write of a shard after its backup. */
export interface LossWindow {
  /** When the backup was begun, and when writes ended; before that, when it was looked at. */
  from: string;
  until: string;
  ms: number;
  /** Of the replication stream, where the backup is of the same history: writes, and some pings. */
  streamBytes?: number;
}

/** A shard's writes that a restore has given up: those acknowledged in between. */
export interface GivenUp {
  shard: string;
  from: string;
  until: string;
}

/** A shard that was restored from its backup. */
export interface RestoreRecord {
  shard: string;
  node: string;
  release: string;
  backup: RestorePoint;
  lossWindow: LossWindow;
  /** The newer dataset, the only copy of what was written after the backup. */
  keptAside: { node: string; at: string; replid?: string; offset?: number; keys: number; bytes: number };
  /** From when writes ended until it was served again, ms. */
  awayMs: number;
  /** Its other nodes, back on the same release and synced from it. */
  replicas: (ResyncRecord & { verified: VerifyResult })[];
  verified: { keys: number; expired: number; compared: number; different: number };
}

/** A shard's backup as what it could be restored from. */
export type RestorePoint = Omit<BackupRecord, 'rdbVersion'>;

export interface BackupRecord {
  shard: string;
  node: string;
  /** On the worker's machine; of a sealed one, its object's name for people. */
  file: string;
  /** Id of the backup in the deployment's target, where it was sealed. */
  sealedIn?: string;
  /** Of the snapshot as the server sent it, as its SHA-256 is. */
  bytes: number;
  keys: number;
  sha256: string;
  rdbVersion: number;
  /** That wrote it. */
  release?: string;
  replid: string;
  offset: number;
  at: string;
}
