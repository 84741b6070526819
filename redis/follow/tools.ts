import type { copyAll } from '../copy/copy-all.js';
import type { CopiedKey, CopyKeyInput } from '../copy/copy-key.js';
import type { rewriterFor } from '../rewrite/rewriter.js';

/** A key's value at an offset, as commands that replace whatever is there; the first deletes it. */
export type KeyCopy = Pick<CopiedKey, 'offset' | 'commands' | 'unrepresentable'>;

/** How the follower rewrites and copies. */
export interface FollowTools {
  rewriterFor: typeof rewriterFor;
  /** Lua that defines a local table `macros`. */
  macros: string;
  copyKey: (input: CopyKeyInput) => Promise<KeyCopy>;
  copyAll: typeof copyAll;
}
