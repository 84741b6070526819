import { ActivityCancellationType, proxyActivities } from '@temporalio/workflow';
import type { StagingActivities } from '../model/staging-work.js';

/** Nothing was begun yet: who asked for it is told soon what is wrong. */
export const looks = proxyActivities<Pick<StagingActivities, 'beginStaging'>>({
  startToCloseTimeout: '1 h',
  heartbeatTimeout: '10 s',
  retry: { initialInterval: '1 s', maximumAttempts: 3 },
});

/** Each goes on from what it finds; what fails so often fails for a reason, which is the answer. */
export const acts = proxyActivities<StagingActivities>({
  startToCloseTimeout: '24 h',
  heartbeatTimeout: '10 s',
  retry: { initialInterval: '1 s', maximumInterval: '30 s', maximumAttempts: 5 },
});

/** Played for as long as what it is played beside takes; what it saw is told when it is cancelled. */
export const beside = proxyActivities<Pick<StagingActivities, 'loadCopy'>>({
  startToCloseTimeout: '365 d',
  heartbeatTimeout: '10 s',
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: { initialInterval: '1 s', maximumInterval: '30 s' },
});
