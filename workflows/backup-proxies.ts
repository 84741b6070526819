import { proxyActivities } from '@temporalio/workflow';
import type { BackupActivities, DrillActivities } from '../model/backup-work.js';

/** Nothing was begun: who asked for it is told soon. */
export const first = proxyActivities<BackupActivities & Pick<DrillActivities, 'planDrill'>>({
  startToCloseTimeout: '5 min',
  heartbeatTimeout: '10 s',
  retry: { initialInterval: '1 s', maximumAttempts: 3 },
});
/** A store may refuse for some minutes. */
export const acts = proxyActivities<BackupActivities & Pick<DrillActivities, 'recordDrill'>>({
  startToCloseTimeout: '24 h',
  heartbeatTimeout: '10 s',
  retry: { initialInterval: '1 s', maximumInterval: '1 min', maximumAttempts: 10 },
});

/** Each attempt begins with an empty cluster: one that fails three times fails for a reason. */
export const rehearsal = proxyActivities<Pick<DrillActivities, 'rehearseRecovery'>>({
  startToCloseTimeout: '24 h',
  heartbeatTimeout: '10 s',
  retry: { initialInterval: '1 s', maximumInterval: '1 min', maximumAttempts: 3 },
});
