import type { WorkflowExecutionDescription } from '@temporalio/client';
import { searchAttributes } from '../../model/names.js';
import type { TemporalAccess } from '../../workers/client.js';
import type { OperationView } from '../../workers/read-operation.js';
import type { Retry } from '../../workers/read-retries.js';
import { isNoWorker } from './temporal.js';
import { retryText } from './views/retry-text.js';
import { clock } from './views/status-view.js';

/** What Temporal itself knows of an operation when no worker answers: little, and perhaps not the latest. */
export interface LastKnown {
  workflowId: string;
  type: string;
  /** Temporal's word: `RUNNING`, `COMPLETED`, … */
  execution: string;
  startedAt: string;
  endedAt?: string;
  phase?: string;
  from?: string;
  to?: string;
  blockedOn?: string;
}

/** Why there is no view: nobody answers queries, or the run answers none since it failed before it could. */
export type NoView = 'no worker' | 'no status';

/** Asks the worker, for no longer than `timeoutMs`. */
export async function readWithin(
  { connection }: TemporalAccess,
  read: () => Promise<OperationView>,
  timeoutMs = 5000,
): Promise<OperationView | NoView> {
  try {
    return await connection.withDeadline(Date.now() + timeoutMs, read);
  } catch (error) {
    const { QueryNotRegisteredError } = await import('@temporalio/client');
    if (error instanceof QueryNotRegisteredError) return 'no status';
    if (await isNoWorker(error)) return 'no worker';
    throw error;
  }
}

export function lastKnown(description: WorkflowExecutionDescription): LastKnown {
  const attributes = new Map(
    description.typedSearchAttributes.getAll().map(({ key, value }) => [key.name, String(value)] as const),
  );
  const optional = <K extends string>(key: K, value: string | undefined) =>
    (value === undefined ? {} : { [key]: value }) as Partial<Record<K, string>>;
  return {
    workflowId: description.workflowId,
    type: description.type,
    execution: description.status.name,
    startedAt: description.startTime.toISOString(),
    ...optional('endedAt', description.closeTime?.toISOString()),
    ...optional('phase', attributes.get(searchAttributes.phase)),
    ...optional('from', attributes.get(searchAttributes.from)),
    ...optional('to', attributes.get(searchAttributes.to)),
    ...optional('blockedOn', attributes.get(searchAttributes.blockedOn)),
  };
}

export function lastKnownView(known: LastKnown, retries: readonly Retry[]): string[] {
  const { workflowId, type, execution, startedAt, endedAt, phase, from, to, blockedOn } = known;
  return [
    `${workflowId}: ${type}${to === undefined ? '' : ` ${from === undefined ? '' : `${from} `}→ ${to}`}, ${execution.toLowerCase()}`,
    `started ${clock(startedAt)}${endedAt === undefined ? '' : `, ended ${clock(endedAt)}`}`,
    ...(phase === undefined ? [] : [`last known phase: ${phase}`]),
    ...(blockedOn === undefined ? [] : [`last known to wait for: ${blockedOn}`]),
    ...retries.map((retry) => `tries again: ${retryText(retry, `since ${clock(retry.since)}`)}`),
  ];
}
