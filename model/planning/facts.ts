import type { ClockReading } from '../clocks.js';

/**
 * What planning wants to know beyond the topology. Read by activities, which change nothing. What could not be measured
 * is left undefined: the plan then says so instead of assuming that all is well.
 */
export interface PlanFacts {
  /** By `host:port`; every node of the topology should be here. */
  nodes: Readonly<Record<string, NodeFacts>>;
  /** Clients' own settings, where somebody told them: no server knows them. */
  clientSettings?: readonly ClientSettings[];
}

export interface NodeFacts {
  clock?: ClockReading;
  /** Growth of master_repl_offset of a primary over a few seconds, bytes a second. */
  writeBytesPerSecond?: number;
  /** Bytes of the dataset: used_memory_dataset. */
  datasetBytes?: number;
  /** Keys that have an expiry, INFO keyspace's `expires`. */
  expiringKeys?: number;
  /** `appendonly yes`. */
  appendOnly?: boolean;
  /** CONFIG's `save`, empty when snapshots are off. */
  savePoints?: string;
  /** CONFIG's `cluster-announce-hostname`, empty when not set (or not known to the release). */
  announceHostname?: string;
  /** MODULE LIST, names. */
  modules?: readonly string[];
  /** CLIENT LIST by library. */
  clients?: readonly ClientFacts[];
}

/** Clients of one kind on one node, from CLIENT LIST; our own and replicas left out. */
export interface ClientFacts {
  /** lib-name (`ioredis`, `node-redis`, `redis-py`); absent before 7.2 and where the client doesn't say. */
  library?: string;
  version?: string;
  count: number;
  /** How many of them sent READONLY (flag `r`): they read from this replica, or are ready to. */
  readOnly: number;
}

/** Retry settings of one kind of cluster client, in ioredis' names. */
export interface ClientSettings {
  name: string;
  retryDelayOnFailoverMs: number;
  maxRedirections: number;
}
