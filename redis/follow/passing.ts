/**
 * The command is not served where the server stands now. A script that calls it says so in words of its own, which are another
 * with nearly every release (scriptVerifyClusterState in script.c, luaRedisGenericCommand in scripting.c):
 * `passing.test.ts` has them with their releases.
 */
const NOT_SERVED = /^(MOVED|ASK|TRYAGAIN)\b|non local key|slot (is )?not served/i;
/** What has to do with where the server stands now, and not with the command: it is tried again. */
const PASSING = /^(CLUSTERDOWN|LOADING|BUSY|MASTERDOWN|READONLY|NOSCRIPT|UNBLOCKED)\b|cluster is down/i;
/** What somebody has to mend. */
const LACKING = /^(OOM|MISCONF|NOREPLICAS|NOPERM)|maxmemory|not able to persist|not enough good/i;

/**
 * Does it say that this server doesn't serve the command's keys? That passes as a rule; but up to 7.2 it is also what a member
 * that is importing says for ever of a command about several keys of which one is missing.
 */
export const isNotServed = (message: string): boolean => NOT_SERVED.test(message) && !PASSING.test(message);

/** Is it somebody's to mend, such as memory that has run out? */
export const isLacking = (message: string): boolean => LACKING.test(message);

/** Is it the standby's state that a command failed for? Then it is none of the key's business. */
export const isPassing = (message: string): boolean =>
  PASSING.test(message) || isNotServed(message) || isLacking(message);
