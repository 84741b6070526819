import { formatDuration } from './duration.js';
import type { Instant } from './operation.js';

/** The parts of an operation that are on record with a verdict, in the order in which they come. */
export const framePhases = [
  'assessment',
  'staging',
  'start approval',
  'baseline',
  'backup',
  'rolling',
  'validation',
  'soak',
  'finalize approval',
  'finalize',
  'fallback',
] as const;
export type FramePhase = (typeof framePhases)[number];

export interface PhaseRecord {
  phase: FramePhase;
  /** Of several hops, the release that it went to. */
  hop?: string;
  /**
   * `skipped`: the policy has it so, and nobody else can. `overridden`: done, and somebody let it go on where a gate would not.
   * `stopped`: the operation ended in it.
   */
  verdict: 'running' | 'done' | 'overridden' | 'skipped' | 'stopped';
  /** Why it was skipped, what was overridden by whom, or why it stopped; empty where it is simply done. */
  reason: string;
  from: Instant;
  until?: Instant;
}

/** How long it took, ms; of one that goes on, until now. */
export const phaseMs = ({ from, until }: PhaseRecord, now: number): number =>
  (until === undefined ? now : Date.parse(until)) - Date.parse(from);

/** `soak done after 24 h`, `start approval skipped: policy.approvals.start is left out` */
export function phaseText(record: PhaseRecord, now: number): string {
  const { phase, hop, verdict, reason } = record;
  const name = hop === undefined ? phase : `${phase} (${hop})`;
  const took =
    verdict === 'skipped' ? '' : ` ${verdict === 'running' ? 'for' : 'after'} ${formatDuration(phaseMs(record, now))}`;
  return `${name} ${verdict}${took}${reason === '' ? '' : `: ${reason}`}`;
}
