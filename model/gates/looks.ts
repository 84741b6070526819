import type { GateResult } from './evaluate.js';

/** A look at gates that block, and the pause before the next: how long the activity looks by itself, ms. */
export interface Look {
  patienceMs: number;
  pauseMs: number;
}

const FIRST_MS = 5000;
const LONGEST_PATIENCE_MS = 6 * 3_600_000;
const LONGEST_PAUSE_MS = 15_000;

/** How often a look ends since others block than before; from then on only when its patience is over. */
export const MOST_CHANGES = 100;

/**
 * The looks of one hold: 5 s, 10 s, 20 s, … up to six hours. Each costs about fifteen events of the history, whatever it
 * takes: so a gate may block for three months. That it passes is noticed within `pollMs` and the pause.
 *
 * @param round 0 for the first look, and again after somebody's word
 */
export function lookOf(round: number): Look {
  const ms = FIRST_MS * 2 ** Math.min(round, 20);
  return { patienceMs: Math.min(ms, LONGEST_PATIENCE_MS), pauseMs: Math.min(ms, LONGEST_PAUSE_MS) };
}

/** How often an activity that has so much patience looks, ms: what is over soon is looked at often. */
export const pollMs = (patienceMs: number): number => Math.min(Math.max(patienceMs / 20, 250), 15_000);

/** All pass that nobody has overridden, or others block than those that are known to. */
export function isNews(
  results: readonly GateResult[],
  { overridden, blocked }: { overridden: readonly string[]; blocked?: readonly string[] },
): boolean {
  if (results.some(({ lost }) => lost !== undefined)) return true;
  const blocking = results.filter(({ gate, verdict }) => verdict.state !== 'pass' && !overridden.includes(gate));
  if (blocking.length === 0) return true;
  return blocked !== undefined && blocking.map(({ gate }) => gate).join() !== blocked.join();
}
