import { executeChild, isCancellation } from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { failedSteps, type DrillRecord } from '../model/drill.js';
import { inputProblems, workflowSchemas } from '../model/inputs.js';
import { drillWorkflowId } from '../model/names.js';
import { drDrill } from './dr-drill.js';
import { badInput, messageOf, stopped } from './failure.js';

/** Why none was held, where one was under way already. */
export type ScheduledDrillResult = DrillRecord | { leftOut: string };

/**
 * What a schedule starts: a drill, as somebody would ask for it, under the same id. One that was held and failed is recorded
 * as any other, and fails this workflow: whoever watches Temporal for workflows that fail hears of it.
 */
export async function scheduledDrill(raw: unknown): Promise<ScheduledDrillResult> {
  const parsed = workflowSchemas.scheduledDrill.safeParse(raw);
  if (!parsed.success) throw badInput('BadInput', `scheduledDrill: ${inputProblems(parsed.error, raw)}`);
  const { deployment, startedBy } = parsed.data;
  const workflowId = drillWorkflowId(deployment);
  let record: DrillRecord;
  try {
    record = await executeChild(drDrill, {
      workflowId,
      args: [{ deployment, startedBy }],
      staticSummary: `${deployment}: its recovery rehearsed`,
    });
  } catch (error) {
    if (isCancellation(error)) throw error;
    if (error instanceof WorkflowExecutionAlreadyStartedError) return { leftOut: `${workflowId} was under way` };
    throw stopped(`the drill of ${deployment}: ${messageOf(error)}`, error);
  }
  if (record.passed) return record;
  const found = failedSteps(record).map(({ name, found }) => `${name}: ${found}`);
  throw stopped(`the drill of ${deployment} failed: ${found.join('; ')}`, undefined, 'DrillFailed');
}
