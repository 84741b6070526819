import type { Policy } from '../model/policy.js';
import { judge, validationVerdict, type ValidationRecord } from '../model/validation/judge.js';
import type { Verdict } from '../model/verdict.js';
import { validationGateName } from '../model/gates/names.js';
import { during, skipped } from './phases.js';
import { act } from './proxies.js';
import type { Run } from './run.js';

/** What servers and clients are like before anything is touched: what they are held against afterwards. */
export async function measureBaseline(run: Run): Promise<void> {
  const ms = measureMs(run);
  if (ms === 0) {
    skipped(run, 'baseline', 'policy.validation.measure is 0s');
    return;
  }
  try {
    await during(run, 'baseline', async () => {
      const baseline = await run.step('measure', {}, () =>
        act('measure', 'what it is like before anything is touched', { ...run.order, ms }),
      );
      run.record.validation = { baseline, measures: [], checks: [] };
      const { operationsPerSecond, primaries } = baseline;
      run.note('check', `baseline of ${primaries} primaries: ${Math.round(operationsPerSecond)} commands a second`);
    });
  } catch (error) {
    // What keeps it from being measured keeps the gates from passing, and they say what it is.
    if (run.isControl(error)) throw error;
  }
}

/**
 * Is the upgraded deployment what it was, by the thresholds of the policy, and what the application's own checks want? Holds
 * until it is, measuring anew ever less often, or until somebody overrides it.
 */
export async function holdAgainstBaseline(run: Run): Promise<void> {
  const { checks = [] } = run.assessment;
  const { baseline } = run.record.validation ?? {};
  if (!baseline && checks.length === 0) return;
  await run.gates.holdUntil(validationGateName, `after the last node on ${run.assessment.to}`, {}, () =>
    validated(run, baseline, checks),
  );
}

async function validated(
  run: Run,
  baseline: ValidationRecord['baseline'],
  checks: readonly string[],
): Promise<Verdict> {
  const { validation } = policyOf(run);
  const found: ValidationRecord = { measures: [], checks: [] };
  if (baseline && validation) {
    found.baseline = baseline;
    found.after = await run.step('measure', {}, () =>
      act('measure', 'what it is like after the last node', { ...run.order, ms: measureMs(run) }),
    );
    found.measures = judge(baseline, found.after, validation);
  }
  for (const check of checks) {
    await run.checkpoint();
    found.checks.push(
      await run.step(`check ${check}`, {}, () => act('checkApplication', `check ${check}`, { ...run.order, check })),
    );
  }
  run.record.validation = found;
  const verdict = validationVerdict(found);
  run.note('check', `validation: ${verdict.state}: ${verdict.reason ?? ''}`);
  return verdict;
}

/** One that was begun before there was a policy for it goes on without. */
const policyOf = ({ assessment }: Run): Partial<Pick<Policy, 'validation'>> => assessment.policy;

const measureMs = (run: Run): number => policyOf(run).validation?.measure ?? 0;
