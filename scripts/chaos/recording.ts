import type { TimelineEntry } from '../../model/operation.js';

/** One node at one moment, by its own account. */
export interface NodeSample {
  address: string;
  /** `gone`: nothing listens there; `silent`: it answers nothing in time. All else is then as it was last seen. */
  state: 'answers' | 'silent' | 'gone';
  release: string;
  runId: string;
  role: 'primary' | 'replica';
  /** How many slots it owns in its own view. */
  slots: number;
  /** Address of the primary that it follows. */
  primary?: string;
  linkUp: boolean;
  /** It loads a dataset, or is being given one whole. */
  loading: boolean;
  syncing: boolean;
  offset: number;
  /** Not kept from being promoted (cluster-replica-no-failover). */
  promotable: boolean;
  /** Addresses of the nodes that own slots in its view. */
  owners: string[];
}

/** All nodes by what they said until `at`, ms since 1970. */
export interface Sample {
  at: number;
  nodes: NodeSample[];
}

/** What chaos did itself: none of it is the upgrade's doing. */
export interface ChaosEvent {
  at: number;
  /** `down`: killed or hung; `up`: it is back; `roles`: it may have changed who is primary among these. */
  kind: 'down' | 'up' | 'roles';
  nodes: string[];
}

/** Everything that was seen of one run from outside. */
export interface Recording {
  samples: Sample[];
  events: ChaosEvent[];
  /** Of all starts, in the order of their beginnings. */
  timeline: TimelineEntry[];
  from: string;
  to: string;
  /** The scenario forbids a backlog that is large enough: who asks its new primary for the stream is given a dataset. */
  overrun: boolean;
}

export interface Violation {
  invariant: string;
  /** ISO 8601, UTC. */
  at: string;
  node: string;
  what: string;
}
