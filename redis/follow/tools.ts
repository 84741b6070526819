import type { Endpoint, NodeConnection } from '../connection.js';
import type { StreamPoint } from '../replication/position.js';

/** What a command becomes for the older release: see redis/rewrite/. */
export type Rewritten =
  | { kind: 'same' }
  | { kind: 'rewritten'; commands: Buffer[][]; lost?: { keys: Buffer[]; what: string } }
  | { kind: 'nothing' }
  | { kind: 'recopy'; keys: Buffer[]; reason: string }
  | { kind: 'unrepresentable'; keys: Buffer[]; what: string };

export interface Rewriter {
  rewrite(args: Buffer[]): Rewritten;
  keysOf(args: Buffer[]): { reads: Buffer[]; writes: Buffer[] } | 'all';
}

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
  /** Empties the standby, copies everything, and says at which point that was. Without it a gap ends the following. */
  copyAll?: (input: { primary: Endpoint; standby: Endpoint; signal?: AbortSignal }) => Promise<StreamPoint>;
}
