import { proxyActivities } from '@temporalio/workflow';
import type { AssessmentActivities } from '../model/assessment/work.js';

/** Nothing was begun: who asked for it is told soon. */
export const beginning = proxyActivities<Pick<AssessmentActivities, 'beginAssessment'>>({
  startToCloseTimeout: '5 min',
  heartbeatTimeout: '10 s',
  retry: { initialInterval: '1 s', maximumAttempts: 3 },
});

/** A node may be away for some minutes, and an observation of days is not to end by that. */
export const assessing = proxyActivities<Omit<AssessmentActivities, 'beginAssessment'>>({
  startToCloseTimeout: '24 h',
  heartbeatTimeout: '10 s',
  retry: { initialInterval: '1 s', maximumInterval: '1 min', maximumAttempts: 10 },
});
