import { CancellationScope, workflowInfo } from '@temporalio/workflow';
import { backupId } from '../model/backup-manifest.js';
import { mayReachQuorum } from '../model/approvals.js';
import { rolesThatCanAnswer } from '../model/signed-answer.js';
import { parseSlotRange } from '../model/topology.js';
import { againstIt, stagingStatement, type StagingRecord } from '../model/staging.js';
import type { StagingBeginning } from '../model/staging-work.js';
import { messageOf, stopped } from './failure.js';
import { Rehearsal } from './rehearsal.js';
import { Run, type Ended } from './run.js';
import { acts, looks } from './staging-proxies.js';

/**
 * Rehearses a whole upgrade on a copy of the deployment: upgraded, taken back, upgraded again, under load, measured before and
 * after, and put to the deployment's own checks; then people sign it off. The deployment itself is only read.
 */
export async function staging(raw: unknown): Promise<Ended<StagingRecord>> {
  return Run.of('staging', raw, async (run, input) => {
    const { deployment, startedBy, keep } = input;
    const { runId, startTime } = workflowInfo();
    const startedAt = startTime.toISOString();
    run.phase('assessing', `finding a backup to copy ${deployment} from; nothing is changed`);
    const slots = input.slots?.flatMap((text) => {
      const range = parseSlotRange(text);
      return range ? [range] : [];
    });
    const found = await looks.beginStaging.executeWithOptions(
      { summary: `find ${input.backup ?? 'a proven backup'}` },
      [
        {
          ...{ ...run.order, to: input.to, via: input.via },
          ...(input.backup === undefined ? {} : { backup: input.backup }),
          ...(slots === undefined ? {} : { slots }),
        },
      ],
    );
    run.people.questions.policy = found.policy;
    run.searchable = found.searchable;
    Object.assign(run.status, { from: found.release, to: found.to });
    expectSigners(run, found);
    const id = backupId(startedAt, runId);
    const of = { staging: id, backup: found.backup, ...(slots === undefined ? {} : { slots }) };
    const rehearsal = new Rehearsal(run, { ...found, of, startedBy });
    const recordOf = (decision: StagingRecord['decision'], why: string): StagingRecord => ({
      ...{ format: 1, staging: id, deployment, startedBy, startedAt, endedAt: run.now() },
      ...{ backup: found.backup, takenAt: found.takenAt, from: found.release, to: found.to, via: found.via },
      ...{
        shards: found.shards.length,
        keys: rehearsal.keys,
        steps: rehearsal.steps,
        benchmarks: rehearsal.benchmarks,
      },
      ...(input.slots === undefined ? {} : { slots: input.slots }),
      approvals: run.status.approvals.map(({ approval, state, answers }) => ({
        ...{ approval, state },
        answers: answers.map(({ by, role, decision, at }) => ({ by, role, decision, at })),
      })),
      ...{ reports: rehearsal.reports, decision, why },
    });
    const conclude = async (decision: StagingRecord['decision'], why: string): Promise<StagingRecord> => {
      const record = recordOf(decision, why);
      await acts.recordStaging.executeWithOptions({ summary: `record ${decision}` }, [{ ...run.order, record }]);
      return record;
    };
    try {
      await rehearsal.run();
      const against = againstIt(rehearsal.steps);
      if (against === undefined) await signOff(run, found, stagingStatement(recordOf('go', '')));
      const record = await conclude(
        against === undefined ? 'go' : 'no-go',
        against ??
          (Object.keys(found.staging.approvals).length === 0
            ? 'every step passed'
            : 'every step passed, and it was signed off'),
      );
      run.concluded = [...stagingStatement(record), `${record.decision}: ${record.why}.`].join('\n');
      return record;
    } catch (error) {
      // What came of it is on record whatever ended it: production asks for the newest.
      await conclude('no-go', messageOf(error)).catch((second: unknown) => {
        run.note('failure', `it could not be recorded: ${messageOf(second)}`);
      });
      throw error;
    } finally {
      if (!keep)
        await CancellationScope.nonCancellable(() =>
          run.step('take the copy away', {}, () =>
            acts.removeCopy.executeWithOptions({ summary: 'take the copy away' }, [run.order]),
          ),
        );
    }
  });
}

/** A question that nobody can answer would be found out after days. */
function expectSigners(run: Run, { staging, policy }: StagingBeginning): void {
  const roles = rolesThatCanAnswer(policy);
  for (const [name, asked] of Object.entries(staging.approvals)) {
    const verdict = mayReachQuorum(name, asked, run.status.startedBy, roles, `staging.approvals.${name}`);
    if (verdict.state !== 'pass') throw stopped(`${verdict.reason}: ${verdict.clears}`, undefined, 'BadInput');
  }
}

/** Everybody at once, each seeing all that was found. */
async function signOff(run: Run, { staging }: StagingBeginning, report: readonly string[]): Promise<void> {
  const { deployment, from, to } = run.status;
  const asked = Object.entries(staging.approvals);
  if (asked.length === 0) return;
  const question = `May ${deployment} go from ${from} to ${to} in production? ${report.join('\n')}`;
  run.phase('awaiting approval', question);
  await Promise.all(asked.map(([name, policy]) => run.people.questions.approval(name, policy, question)));
}
