import { ActivityCancellationType, proxyActivities } from '@temporalio/workflow';
import type { RestoreActivities } from '../model/backup-work.js';

/** Nothing was begun yet: who asked for it is told soon what is wrong. */
export const looks = proxyActivities<RestoreActivities>({
  startToCloseTimeout: '24 h',
  heartbeatTimeout: '10 s',
  retry: { initialInterval: '1 s', maximumAttempts: 3 },
});

/**
 * A store may refuse, and a node be away, for some minutes; and each worker that dies costs an attempt. The lock is held
 * until nobody writes any more.
 */
export const loads = proxyActivities<RestoreActivities>({
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  startToCloseTimeout: '7 d',
  heartbeatTimeout: '10 s',
  retry: { initialInterval: '1 s', maximumInterval: '30 s', maximumAttempts: 30 },
});
