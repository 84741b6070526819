/** What a decision says, always with its reason. */
export type Verdict =
  | { state: 'pass'; reason?: string }
  /** Will clear by itself when `clears` comes true. */
  | { state: 'wait'; reason: string; clears: string }
  /** Somebody has to do something: `clears` says what. */
  | { state: 'fail'; reason: string; clears: string };

export const pass = (reason?: string): Verdict =>
  reason === undefined ? { state: 'pass' } : { state: 'pass', reason };
export const wait = (reason: string, clears: string): Verdict => ({ state: 'wait', reason, clears });
export const fail = (reason: string, clears: string): Verdict => ({ state: 'fail', reason, clears });

/** `fail: 10.0.0.4:6379 has 3 % of its memory free`. */
export const formatVerdict = (verdict: Verdict): string =>
  verdict.reason === undefined ? verdict.state : `${verdict.state}: ${verdict.reason}`;
