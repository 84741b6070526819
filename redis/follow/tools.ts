import type { Endpoint, NodeConnection } from '../connection.js';
import type { StreamPoint } from '../replication/position.js';
import type { Rewriter } from '../rewrite/rewriter.js';

/** A key's value at an offset, as commands that replace whatever is there; the first deletes it. */
export interface KeyCopy {
  offset: number;
  commands: Buffer[][];
  /** What of it the older release can't hold. */
  unrepresentable?: string;
}

/** How the follower rewrites and copies. */
export interface FollowTools {
  rewriterFor: (input: { source: string; target: string; marginMs: (key: Buffer) => number }) => Rewriter;
  /** Lua that defines a local table `macros`. */
  macros: string;
  copyKey: (input: {
    primary: NodeConnection;
    key: Buffer;
    db: number;
    target: string;
    marginMs: number;
  }) => Promise<KeyCopy>;
  /** Empties the standby but for its record, copies everything, and says at which point that was. */
  copyAll: (input: FreshCopy) => Promise<StreamPoint>;
}

export interface FreshCopy {
  primary: Endpoint;
  standby: Endpoint;
  record: string;
  /** Is the standby a member that imports its slots? */
  cluster: boolean;
  target: string;
  /** Called for what the older release can't hold. */
  onLost: (what: string, keys: readonly Buffer[], count: number) => void;
  signal: AbortSignal;
}
