import type { WorkflowClient, WorkflowExecutionDescription } from '@temporalio/client';
import type { OperationStatus } from '../model/operation.js';
import { withLiveRestore } from './live-restore.js';
import { withLiveStandbys } from './live-standbys.js';

/** The status with what activities that run say with their heartbeats: the workflow knows what they said when they ended. */
export const withLive = (
  status: OperationStatus,
  description: WorkflowExecutionDescription,
  client: Pick<WorkflowClient, 'options'>,
): OperationStatus => withLiveRestore(withLiveStandbys(status, description, client), description, client);
