import type { Deployment } from '../deployment.js';
import type { Policy } from '../policy.js';
import type { ApprovalRecord, OperationStatus } from '../operation.js';
import { rolesThatCanAnswer } from '../signed-answer.js';

/** The questions of a rehearsal. */
export type SignOffs = Readonly<Record<string, Pick<Deployment['staging']['approvals'][string], 'selfApproval'>>>;

/** Who may still approve a question, by the deployment file as it is now; the operation itself has the last word. */
export function approverNames(
  { approval, roles, answers }: ApprovalRecord,
  policy: Pick<Policy, 'roles' | 'approvals' | 'people'>,
  { startedBy, operation }: Pick<OperationStatus, 'startedBy' | 'operation'>,
  signOffs: SignOffs = {},
): string[] {
  const question = (approval.split(':')[0] ?? approval) as 'start' | 'handover' | 'finalize' | 'restore';
  const asked = operation === 'staging' ? signOffs[approval] : policy.approvals[question];
  const own = asked?.selfApproval === true;
  const able = rolesThatCanAnswer(policy);
  const people = new Set(roles.flatMap((role) => able[role] ?? []));
  return [...people].filter((it) => (own || it !== startedBy) && answers.every(({ by }) => by !== it));
}
