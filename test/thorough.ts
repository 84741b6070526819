import { test } from 'vitest';

/** `npm test -- --thorough`: every pair of releases, every moment, more of what is drawn. */
export const thorough = process.env['ROLLOUT_THOROUGH'] === '1';

/** The first of all, as many as any run takes; a thorough one takes all. */
export const usually = <T>(count: number, all: readonly T[]): T[] => (thorough ? [...all] : all.slice(0, count));

/** A test of its file that takes a minute and more, and is for a thorough run. */
export const thoroughly = test.runIf(thorough);
