import { makeContinueAsNewFunc, workflowInfo } from '@temporalio/workflow';
import type { OperationStatus, TimelineEntry } from '../model/operation.js';
import type { OperationRecord } from '../model/report.js';
import type { Assessment } from '../model/work.js';
import type { Run } from './run.js';

/** Of a run's history: Temporal warns at 10,240 and ends a run at 51,200. */
export const MOST_EVENTS = 4000;

/** What a run hands to the one that continues it: all that it knows, but for topology and facts, which are read anew. */
export interface Known {
  assessment: Assessment;
  status: OperationStatus;
  timeline: TimelineEntry[];
  record: OperationRecord;
  paused?: { by: string; reason: string; since: string };
}

/** Has this run's history become so long that another one should go on? */
export function isLong(mostEvents: number): boolean {
  const { historyLength, continueAsNewSuggested } = workflowInfo();
  return continueAsNewSuggested || historyLength > mostEvents;
}

/**
 * Ends this run and goes on in a new one with the same id, input and parent. Only at a moment when none of its children
 * runs: they would be without a parent.
 *
 * @param more what the workflow itself has to know again
 */
export async function continueWith(run: Run, raw: unknown, more: object, mostEvents: number): Promise<never> {
  run.family.tellRoot();
  await run.people.finish();
  // An abort that came meanwhile ends it here.
  run.heedAbort();
  const { assessment, status, timeline, record, paused } = run;
  const known: Known = {
    assessment: { ...assessment, topology: { ...assessment.topology, shards: [] }, facts: { nodes: {} } },
    status,
    timeline,
    record,
    ...(paused ? { paused } : {}),
  };
  return makeContinueAsNewFunc()(raw, { ...known, ...more }, mostEvents);
}

/** Takes up what the run before has handed over. */
export function takeUp(run: Run, { assessment, status, timeline, record, paused }: Known): void {
  run.adopt(assessment);
  Object.assign(run.status, status);
  run.timeline.push(...timeline);
  Object.assign(run.record, record);
  run.paused = paused;
  run.untouched = false;
  run.publish();
}
