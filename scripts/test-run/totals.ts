export interface Failure {
  /** A test, a file, a check, a component: as people find it. */
  what: string;
  why: string;
  /** From the project's root. */
  file?: string;
  test?: string;
}

export interface Totals {
  passed: number;
  skipped: number;
  failures: Failure[];
  /** Failed, and passed when they were run again: each is a bug of the product or of its test. */
  flaky: Failure[];
}

export const nothing = (): Totals => ({ passed: 0, skipped: 0, failures: [], flaky: [] });

export function addUp(totals: Totals, more: Totals): void {
  totals.passed += more.passed;
  totals.skipped += more.skipped;
  totals.failures.push(...more.failures);
  totals.flaky.push(...more.flaky);
}

/** Everything that went wrong once more, then `12 passed, 0 failed`, and what was skipped if anything was. */
export function closing({ passed, failures, skipped, flaky }: Totals): string {
  const list = (head: string, all: readonly Failure[]): string[] =>
    all.length === 0 ? [] : [head, ...all.map(({ what, why }) => `  ${what}: ${why}`), ''];
  return [
    ...list('Failed at first, passed when run again: a bug all the same', flaky),
    ...list('Failed:', failures),
    `${passed} passed, ${failures.length} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`,
  ].join('\n');
}
