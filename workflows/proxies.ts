import { ActivityCancellationType, proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../model/work.js';

/** Long acts heartbeat: an attempt whose worker died is given to another after ten seconds. */
const acts = {
  startToCloseTimeout: '24 h',
  heartbeatTimeout: '10 s',
  retry: { initialInterval: '1 s', backoffCoefficient: 2, maximumInterval: '15 s', maximumAttempts: 10 },
} as const;

const proxy = proxyActivities<Activities>(acts);

/** Run for as long as the operation does, whatever happens to its workers. */
const unending = proxyActivities<Pick<Activities, 'runProbe' | 'follow'>>({
  ...acts,
  startToCloseTimeout: '365 d',
  // Its last figures are written after it was told to end: the ledger is read after that.
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: { initialInterval: '1 s', maximumInterval: '10 s' },
});

/** Somebody waits for the answer, and nothing hangs on it: a seed that is not there is told within seconds. */
const prompt = proxyActivities<Pick<Activities, 'assess' | 'assessFallback' | 'readCluster' | 'readLedger'>>({
  ...acts,
  retry: { ...acts.retry, maximumAttempts: 3 },
});

/** Nothing hangs on it but the record: a store that is away must not keep the end of an upgrade back. */
const recorder = proxyActivities<Pick<Activities, 'sealAudit'>>({
  ...acts,
  retry: { ...acts.retry, maximumAttempts: 5 },
});

export const sealed = (input: Parameters<Activities['sealAudit']>[0]): ReturnType<Activities['sealAudit']> =>
  recorder.sealAudit.executeWithOptions(
    { summary: input.whole ? 'the whole on the audit trail' : 'on the audit trail' },
    [input],
  );

/** As `act`, for the first look at a deployment. */
export const look = (summary: string, input: Parameters<Activities['assess']>[0]): ReturnType<Activities['assess']> =>
  prompt.assess.executeWithOptions({ summary }, [input]);

/** As `act`, for the first look of a fallback. */
export const lookBack = (
  summary: string,
  input: Parameters<Activities['assessFallback']>[0],
): ReturnType<Activities['assessFallback']> => prompt.assessFallback.executeWithOptions({ summary }, [input]);

/** As `act`, for the last look. */
export const readNow = (
  summary: string,
  input: Parameters<Activities['readCluster']>[0],
): ReturnType<Activities['readCluster']> => prompt.readCluster.executeWithOptions({ summary }, [input]);

/** As `act`, of an operation that has failed: a shard that nobody serves would keep its reason back for ten attempts. */
export const readLedgerOfFailed = (
  summary: string,
  input: Parameters<Activities['readLedger']>[0],
): ReturnType<Activities['readLedger']> => prompt.readLedger.executeWithOptions({ summary }, [input]);

/** An activity with a line of its own in the Temporal UI. */
export function act<Name extends keyof Activities>(
  name: Name,
  summary: string,
  ...args: Parameters<Activities[Name]>
): ReturnType<Activities[Name]> {
  const chosen = (name === 'runProbe' || name === 'follow' ? unending[name] : proxy[name]) as unknown as {
    executeWithOptions(options: { summary: string }, args: unknown[]): ReturnType<Activities[Name]>;
  };
  return chosen.executeWithOptions({ summary }, args);
}
