import { WorkflowNotFoundError, type WorkflowClient } from '@temporalio/client';
import type { RunFate } from '../model/backup-use.js';

/** As Temporal itself knows it: what it lists may be some seconds old. @throws ServiceError where it does not answer */
export async function fateOf(client: WorkflowClient, workflowId: string, runId: string): Promise<RunFate> {
  try {
    const { status } = await client.getHandle(workflowId, runId).describe();
    return status.name === 'RUNNING' ? 'running' : 'ended';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return 'unknown';
    throw error;
  }
}
