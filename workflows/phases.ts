import type { FramePhase, PhaseRecord } from '../model/phases.js';
import { messageOf } from './failure.js';
import type { Run } from './run.js';

/** Does a part of the frame, with its verdict on record: done, done though somebody overrode a gate, or stopped in it. */
export async function during<T>(run: Run, phase: FramePhase, body: () => Promise<T>): Promise<T> {
  const record = begin(run, phase, 'running', '');
  const before = run.overrides.length;
  try {
    const result = await body();
    const given = run.overrides.slice(before).map(({ gate, by }) => `${gate} by ${by}`);
    Object.assign(record, given.length > 0 ? { verdict: 'overridden', reason: given.join(', ') } : { verdict: 'done' });
    return result;
  } catch (error) {
    Object.assign(record, { verdict: 'stopped', reason: messageOf(error) });
    throw error;
  } finally {
    record.until = run.now();
  }
}

/** The policy does without it: said, so that nobody takes it for forgotten. */
export function skipped(run: Run, phase: FramePhase, why: string): void {
  begin(run, phase, 'skipped', why).until = run.now();
  run.note('note', `${phase} skipped by policy: ${why}`);
}

function begin(run: Run, phase: FramePhase, verdict: PhaseRecord['verdict'], reason: string): PhaseRecord {
  const record: PhaseRecord = {
    ...{ phase, verdict, reason, from: run.now() },
    ...(run.status.hop === undefined ? {} : { hop: run.status.hop }),
  };
  (run.status.phases ??= []).push(record);
  return record;
}
