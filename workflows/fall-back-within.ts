import { workflowInfo } from '@temporalio/workflow';
import type { FallbackInput } from '../model/inputs.js';
import { fallbackId } from '../model/names.js';
import type { GoingBack } from '../model/operation.js';
import { FallbackDue, FellBack, haltedAt } from './failure.js';
import type { FallbackResult } from './fallback.js';
import type { FallbackAsked } from './operation.js';
import type { Ended, Run } from './run.js';

/** Is what ended the operation's work a person's or the policy's wish that it be taken back? */
export function askedToFallBack(run: Run, error: unknown): FallbackAsked | undefined {
  if (error instanceof FallbackDue) {
    const { gate, since, message } = error;
    return { by: 'policy', reason: `${gate} has not passed since ${since}: ${message}`, gate };
  }
  // Whatever ended it meanwhile: somebody has asked.
  return run.fallbackAsked;
}

/**
 * Takes a running operation back, once its children have ended. Returns how it ends: that it fell back, or why it did not
 * come to that.
 */
export async function fallBackWithin(run: Run, asked: FallbackAsked): Promise<unknown> {
  const { by, reason, shard, gate, restore = false } = asked;
  const { deployment } = run.status;
  run.fallbackAsked = asked;
  run.aborted = undefined;
  run.paused = undefined;
  delete run.status.asked;
  const only = shard === undefined ? {} : { shard };
  run.phase('falling back', `asked for by ${by}: ${reason}`, only);
  const input: FallbackInput = {
    ...{ deployment, startedBy: by, reason, restore, shards: shard === undefined ? [] : [shard] },
    ...(gate === undefined ? {} : { gate }),
  };
  const goingBack: GoingBack = { to: run.assessment.from, by, restore, ...only };
  run.status.goingBack = goingBack;
  try {
    const id = fallbackId(workflowInfo().workflowId);
    const { statement } = await run.child<Ended<FallbackResult>>('fallback', id, input, `${deployment}: fallback`);
    return new FellBack(statement);
  } catch (error) {
    const halted = haltedAt(error);
    if (halted?.untouched === true) goingBack.refused = true;
    // The hop's, of several: its standbys are of that release.
    else if (halted && halted.to !== '') goingBack.to = halted.to;
    return error;
  }
}
