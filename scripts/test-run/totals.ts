export interface Totals {
  passed: number;
  failed: number;
  skipped: number;
}

export function addUp(totals: Totals, more: Totals): void {
  totals.passed += more.passed;
  totals.failed += more.failed;
  totals.skipped += more.skipped;
}

/** `12 passed, 0 failed`, and what was skipped if anything was. */
export const line = ({ passed, failed, skipped }: Totals): string =>
  `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
