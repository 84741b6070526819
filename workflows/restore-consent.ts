import { mayReachQuorum } from '../model/approvals.js';
import { forbidden, forecastText, type RestoreForecast } from '../model/backup-restore.js';
import type { ApprovalPolicy } from '../model/policy.js';
import type { RestoreInput } from '../model/inputs.js';
import { stopped } from './failure.js';
import type { Run } from './run.js';

/** Nothing is written before this: it fits, nothing is overwritten that nobody said so of, and somebody agrees. */
export async function agree(
  run: Run,
  input: RestoreInput,
  forecast: RestoreForecast,
  policy: ApprovalPolicy | undefined,
): Promise<void> {
  const { deployment, existing, confirm, startedBy } = input;
  const { totals, tooLarge, targets } = forecast;
  const text = forecastText(forecast);
  const [forbids] = forbidden(targets);
  if (forbids !== undefined) throw stopped(forbids, undefined, 'MissingPermission');
  if (tooLarge.length > 0)
    throw stopped(
      `${deployment} has no room for it: ${tooLarge.join('; ')}. Raise maxmemory there, or restore less`,
      undefined,
      'TargetFull',
    );
  if (existing === 'refuse' && totals.present > 0)
    throw stopped(
      [
        `${totals.present.toLocaleString('en')} keys of the backup are in ${deployment} already, and it was not said what becomes of them.`,
        ...text,
      ].join('\n'),
    );
  if (totals.targetKeys === 0) return;
  const words = `Restore into ${deployment}, which has ${totals.targetKeys.toLocaleString('en')} keys? ${text.join(' ')}`;
  if (confirm === deployment) {
    run.note('control', `${startedBy} confirmed it by the name of the deployment: ${text.join(' ')}`);
    if (!policy) return;
  }
  const { roles } = run.people.questions;
  const asked = policy ?? { roles: Object.keys(roles), quorum: 1, expires: DAY_MS, selfApproval: true };
  const mayBe = mayReachQuorum('restore', asked, startedBy, roles);
  if (mayBe.state !== 'pass')
    throw stopped(
      [
        `${deployment} has ${totals.targetKeys.toLocaleString('en')} keys on ${targets.length} primaries, and nobody has confirmed that it is restored into.`,
        ...text,
        policy
          ? `Nobody could approve it: ${mayBe.reason}. It can be when ${mayBe.clears}.`
          : `Say its name once more: rollout restore ${deployment} --yes ${deployment}, or "confirm": "${deployment}" in the input.`,
      ].join('\n'),
    );
  run.phase('awaiting approval', words);
  await run.people.questions.approval('restore', asked, words);
}

const DAY_MS = 24 * 3_600_000;
