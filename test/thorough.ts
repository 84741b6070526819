import { test } from 'vitest';

/** `npm test -- --thorough`: every pair of releases, every moment, more of what is drawn. */
export const thorough = process.env['ROLLOUT_THOROUGH'] === '1';

/** The first of all, as many as any run takes; a thorough one takes all. */
export const usually = <T>(count: number, all: readonly T[]): T[] => (thorough ? [...all] : all.slice(0, count));

/** A test that takes a minute and more, in a file with quicker ones: for a thorough run alone. */
export function thoroughly(name: string, act: () => Promise<void>, timeoutMs?: number): void {
  if (thorough) test(name, act, timeoutMs);
}
