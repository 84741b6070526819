import type { ProbePolicy } from '../../model/policy.js';
import type { ProbeRecent } from '../../model/evidence.js';
import type { FailureType } from '../../model/failures.js';
import type { SlotRange } from '../../model/topology.js';
import type { Endpoint } from '../connection.js';
import type { Limits } from './open-loop.js';

export interface ProbeInput {
  /** `host:port` of any nodes; the others are discovered. */
  seeds: string[];
  /** Credentials, TLS and renamed commands; host and port are taken from the nodes. */
  endpoint: Endpoint;
  shards: { name: string; slots: SlotRange[] }[];
  policy: Pick<ProbePolicy, 'rate' | 'prefix'>;
  /** Where ledger and statistics are kept. An earlier run's in the same folder are continued. */
  folder: string;
  limits?: Partial<ProbeLimits>;
}

export interface ProbeLimits extends Limits {
  /**
   * Generations (2,000 writes of one client to one shard) that are kept before the oldest are read back and removed, so
   * that a long soak does not fill the deployment: at 50 writes a second, the last 33 minutes.
   */
  generations: number;
}

export const defaultLimits: ProbeLimits = { deadlineMs: 10_000, inFlight: 4096, generations: 50 };

/** One process measures well up to here; with more shards than that allows each stream becomes slower. */
export const MOST_OPERATIONS_A_SECOND = 16_000;

/** A parent that has said nothing for so long hangs, and another may measure in its place: the probe ends. */
export const LEASE_MS = 10_000;

export type ToChild =
  | { kind: 'start'; input: ProbeInput }
  /** Said once a second. */
  | { kind: 'alive' }
  | { kind: 'save' }
  | { kind: 'stop' };

export type FromChild =
  | { kind: 'started' }
  | { kind: 'recent'; recent: ProbeRecent[] }
  | { kind: 'saved' }
  | { kind: 'stopped' }
  | { kind: 'failed'; type?: FailureType; message: string };
