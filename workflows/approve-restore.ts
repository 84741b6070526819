import { mayReachQuorum } from '../model/approvals.js';
import { lacks, withoutWayBack } from '../model/fallback-steps.js';
import {
  lossText,
  restorables,
  restoreApproval,
  restoreText,
  type Restorable,
  type RestoreSaid,
} from '../model/restore.js';
import { rolesThatCanAnswer } from '../model/signed-answer.js';
import type { FallbackAssessment } from '../model/fallback-work.js';
import { stopped } from './failure.js';
import type { Run } from './run.js';

/**
 * Asked of all shards before any is touched: half of them back would help nobody. Where one has no way back but its backup,
 * it is said what that gives up, and people decide; they are asked only where whoever wants the fallback wants that too.
 *
 * @returns the shards that may be restored, and from what
 * @throws Stopped with what a restore would lose, where it was not asked for or can't be; Aborted where people say no
 */
export async function mayGoBack(
  run: Run,
  found: FallbackAssessment,
  { restore, startedBy }: { restore: boolean; startedBy: string },
): Promise<Restorable[]> {
  const bare = withoutWayBack(found);
  if (bare.length === 0) return [];
  const { deployment } = run.status;
  const { restorable, without } = restorables(found, bare, run.now());
  const bareOfBackup =
    found.backupsUnread === undefined
      ? `there is no complete backup that ${found.to} could load either`
      : `its backups can't be looked for: ${found.backupsUnread}`;
  const refuse = (why: string, next: string): Error => {
    const lines = bare.map(({ name, primary }) => {
      const loss = restorable.find(({ shard }) => shard === name);
      const standby = found.standbys.find((it) => it.shard === name);
      return `${name} is served by ${primary.address} on ${primary.release}, and ${standby ? lacks(standby, found.to) : 'has no standby'}: ${loss ? `restored from its backup of ${loss.backup.node} it would lose ${lossText(loss.lossWindow)}` : bareOfBackup}.`;
    });
    return stopped([why, ...lines, next].join('\n'), undefined, 'StandbyLost');
  };
  const notWithoutLoss = `${bare.length} of ${found.topology.shards.length} shards can’t go back to ${found.to} without loss, and nothing was done.`;
  const others = 'Or fall back with the other shards alone, each named.';
  if (without.length > 0) throw refuse(notWithoutLoss, others);
  if (!restore)
    throw refuse(
      notWithoutLoss,
      `To have them restored all the same: rollout fallback ${deployment} --restore --reason "…"; it asks for the approval 'restore' first, and nothing is touched before. ${others}`,
    );
  const policy = restoreApproval(found.policy);
  const mayBe = mayReachQuorum('restore', policy, startedBy, rolesThatCanAnswer(found.policy));
  if (mayBe.state !== 'pass')
    throw refuse(
      `Nobody could approve that shards are restored, and nothing was done: ${mayBe.reason}.`,
      policy.roles.length === 0
        ? 'Name people under policy.roles of the deployment file, who decide what may be given up; then start again.'
        : `It can be when ${mayBe.clears}.`,
    );
  const said = restorable.map((it): RestoreSaid => ({ state: 'asked', ...it }));
  const texts = said.map(restoreText);
  for (const text of texts) run.note('note', text);
  const { fallback } = run.status;
  if (fallback) fallback.restore = said;
  const names = restorable.map(({ shard }) => shard).join(', ');
  const question = `Restore ${names} of ${deployment} from backup into ${found.to}, and give up what was written since? ${texts.join(' ')}`;
  run.phase('awaiting approval', question);
  await run.people.questions.approval('restore', policy, question, { askedBy: startedBy });
  return restorable;
}
