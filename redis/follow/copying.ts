import { copyAll } from '../copy/copy-all.js';
import { copyKey } from '../copy/copy-key.js';
import { macros } from '../rewrite/macros.js';
import { rewriterFor } from '../rewrite/rewriter.js';
import type { FollowTools } from './tools.js';

/** Rewriting and copying as a follower uses them. */
export const followTools: FollowTools = { rewriterFor, macros, copyKey, copyAll };
