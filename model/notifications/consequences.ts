import type { ApprovalRecord, OperationStatus } from '../operation.js';

const yes: Readonly<Record<string, (status: OperationStatus) => string>> = {
  start: ({ to }) =>
    `Every shard is backed up and the backup verified; then nodes are upgraded to ${to} one at a time, replicas first.`,
  handover: ({ to }) =>
    `Writes move to an upgraded replica on ${to}: held for a moment at each primary, none lost. The old primary is upgraded last.`,
  finalize: ({ fallback }) =>
    `The upgrade is ended${fallback?.standbys.length ? ' and the standbys are removed: from there on going back loses writes' : ''}.`,
  restore: () => 'The backups are served in place of the data, and what was written since they were taken is given up.',
};

/** What becomes of a yes and of a no. */
export function consequences(
  { approval }: Pick<ApprovalRecord, 'approval'>,
  status: OperationStatus,
): { yes: string; no: string } {
  if (status.operation === 'staging')
    return {
      yes: `Once everybody who is asked has said so, the rehearsal ends in go: ${status.deployment} may be upgraded to ${status.to}.`,
      no: `One no is enough: it ends in no-go, and the copy is taken away. ${status.deployment} itself was not touched.`,
    };
  const question = approval.split(':')[0] ?? '';
  const { upgraded, nodes } = status.progress;
  const touched =
    question === 'start' || upgraded === 0
      ? 'Nothing has been changed yet.'
      : `${upgraded} of ${nodes} nodes stay as they are; the same start goes on from there, rollout fallback takes it back.`;
  return {
    yes: yes[question]?.(status) ?? 'The operation goes on.',
    no: `One no is enough: it ends at the next safe point, as an abort does. ${touched}`,
  };
}
