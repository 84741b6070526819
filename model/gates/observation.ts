import type { ClockReading } from '../clocks.js';
import type { FollowState } from '../follow-state.js';
import type { TopologyView } from '../topology.js';

/** Everything that gates look at, collected by activities at one moment. What is missing is never taken for good. */
export interface GateObservation {
  topology: TopologyView;
  /** Members that don't answer, and that needn't: the topology's disagreements are without them. */
  excused?: readonly string[];
  /** By `host:port`; a node that is missing here could not be asked. */
  resources: Readonly<Record<string, NodeResources>>;
  /** By `host:port`; a node that is missing here did not tell its time. */
  clocks: Readonly<Record<string, ClockReading>>;
  /** 90th percentile of PING, ms, asked at each node itself, by `host:port`; a node that is missing here did not answer. */
  latencies: Readonly<Record<string, number>>;
  /** By shard name; a shard that is missing here has no probe data. */
  probe: Readonly<Record<string, ProbeWindow>>;
  /** By query name; a query that is missing here was not asked. */
  prometheus: Readonly<Record<string, QueryResult>>;
  /** Of the shards that are looked at; a shard that is missing here has none. */
  standbys: readonly StandbySeen[];
}

/** A shard's standby as it is seen now. */
export interface StandbySeen {
  shard: string;
  address: string;
  release: string;
  /** `syncing` until its shard is handed over, `frozen` from then on, `serving` once a fallback has cut over to it. */
  state: 'syncing' | 'frozen' | 'serving';
  /** Did its server answer? */
  answers: boolean;
  /** Why no follower can bring it up to its primary any more. */
  lost?: string;
  /** Of one that is syncing: its link to the primary, and does it have everything? */
  link?: 'up' | 'down';
  /** Its clock and its primary's, where both told their time: as a primary it will expire keys by its own. */
  clock?: { own: ClockReading; primary: ClockReading; of: string };
  /** What its follower wrote down last, and how long ago that was, ms. */
  follow?: FollowState & { ageMs: number };
}

/** Of the node's machine, bytes. */
export interface NodeResources {
  diskFreeBytes: number;
  memoryFreeBytes: number;
  memoryTotalBytes: number;
}

/** The last ten seconds of one shard's probe, all its clients together. */
export interface ProbeWindow {
  operations: number;
  failed: number;
  /** 99th percentile, ms from the scheduled time; the worst client's. */
  p99Ms: number;
  /** How long ago the window's end was, ms: a probe that has stopped gives old numbers for ever. */
  ageMs: number;
}

export type QueryResult =
  | { ok: true; samples: readonly { labels: Readonly<Record<string, string>>; value: number }[] }
  /** Prometheus can't be reached, or refused the query: its own words. */
  | { ok: false; error: string };
