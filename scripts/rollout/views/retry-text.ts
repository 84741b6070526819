import type { Retry } from '../../../workers/read-retries.js';

/**
 * `isolate 10.0.0.5:6379, attempt 3 of 10 at 10:24:48 UTC, tried since …; it failed with NodeHung: …`
 *
 * @param tried for how long: `since 10:24:02 UTC` in a log, `for 46 s` on a screen
 */
export function retryText({ what, attempt, maximumAttempts, nextAttemptAt, failure }: Retry, tried: string): string {
  const of = maximumAttempts === undefined ? '' : ` of ${maximumAttempts}`;
  const when = nextAttemptAt === undefined ? 'under way' : `at ${nextAttemptAt.slice(11, 19)} UTC`;
  const why = failure.type === undefined ? failure.message : `${failure.type}: ${failure.message}`;
  return `${what}, attempt ${attempt}${of} ${when}, tried ${tried}; it failed with ${why}`;
}
