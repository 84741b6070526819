import { workflowInfo } from '@temporalio/workflow';
import { operationId } from '../model/names.js';

/** In the memo of children whose operation is not Temporal's root. */
const MEMO = 'operation';

interface Root {
  workflowId: string;
  runId: string;
}

/**
 * The operation that this workflow belongs to: itself, or who holds its deployment's lock. An upgrade that a rehearsal has
 * started on a copy is an operation of its own, though Temporal's root is the rehearsal.
 */
export function rootOf(deployment: string): Root {
  const { workflowId, runId, parent, root, memo } = workflowInfo();
  const self = { workflowId, runId };
  if (parent === undefined || workflowId === operationId(deployment)) return self;
  return (memo?.[MEMO] as Root | undefined) ?? root ?? self;
}

/** What children are told, so that they find it. */
export function memoFor(deployment: string): { memo?: Record<string, unknown> } {
  const { parent, root } = workflowInfo();
  const own = rootOf(deployment);
  return parent === undefined || own.workflowId === root?.workflowId ? {} : { memo: { [MEMO]: own } };
}
