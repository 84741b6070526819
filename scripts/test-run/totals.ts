export interface Totals {
  passed: number;
  skipped: number;
  /** One line for each that failed: what it was, and why. */
  failures: string[];
}

export const nothing = (): Totals => ({ passed: 0, skipped: 0, failures: [] });

export function addUp(totals: Totals, more: Totals): void {
  totals.passed += more.passed;
  totals.skipped += more.skipped;
  totals.failures.push(...more.failures);
}

/** `12 passed, 0 failed`, and what was skipped if anything was. */
export const line = ({ passed, failures, skipped }: Totals): string =>
  `${passed} passed, ${failures.length} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
