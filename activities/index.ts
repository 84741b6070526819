import type { Activities } from '../model/work.js';
import type { AssessmentActivities } from '../model/assessment/work.js';
import type { ArchiveActivities, BackupActivities, DrillActivities, RestoreActivities } from '../model/backup-work.js';
import type { StagingActivities } from '../model/staging-work.js';
import { archiveActivities } from './archive.js';
import { assessActivities } from './assess.js';
import { sealAudit } from './audit.js';
import { assessmentActivities } from './assessment.js';
import { backupActivities } from './backup.js';
import { fallbackActivities } from './assess-fallback.js';
import { cutOverActivity } from './cut-over.js';
import type { Dependencies } from './dependencies.js';
import { drillActivities } from './drill.js';
import { followActivity } from './follow.js';
import { runHook } from './hooks.js';
import { handoverActivities } from './handover.js';
import { validationActivities } from './measure.js';
import { nodeActivities } from './nodes.js';
import { probeActivities } from './probe.js';
import { writeReport } from './report.js';
import { proveBackupActivities } from './prove-backup.js';
import { pruneActivities } from './prune-backups.js';
import { restoreActivities } from './restore-backup.js';
import { provePointActivities } from './prove-point.js';
import { restoreShardActivity } from './restore-shard.js';
import { returnNodeActivity } from './return-node.js';
import { sealedBackupActivities } from './sealed-backup.js';
import { copyDataActivities } from './staging-copy.js';
import { copyLoadActivities } from './staging-load.js';
import { copyTrials } from './staging-try.js';
import { stagingActivities } from './staging.js';
import { standbyActivities } from './standby.js';
import { compareReplica } from './verify.js';

export type { Dependencies } from './dependencies.js';
export { FailureInterceptor } from './failure.js';

/** Everything that workflows can ask for, built with its dependencies so that tests can hand in others. */
export function createActivities(
  dependencies: Dependencies,
): Activities &
  ArchiveActivities &
  AssessmentActivities &
  BackupActivities &
  DrillActivities &
  RestoreActivities &
  StagingActivities {
  return {
    ...assessActivities(dependencies),
    ...nodeActivities(dependencies),
    ...handoverActivities(dependencies),
    ...probeActivities(dependencies),
    ...backupActivities(dependencies),
    ...sealedBackupActivities(dependencies),
    ...proveBackupActivities(dependencies),
    ...drillActivities(dependencies),
    ...assessmentActivities(dependencies),
    ...pruneActivities(dependencies),
    ...restoreActivities(dependencies),
    ...provePointActivities(dependencies),
    ...archiveActivities(dependencies),
    ...stagingActivities(dependencies),
    ...copyDataActivities(dependencies),
    ...copyLoadActivities(dependencies),
    ...copyTrials(dependencies),
    ...standbyActivities(dependencies),
    ...fallbackActivities(dependencies),
    follow: followActivity(dependencies),
    cutOver: cutOverActivity(dependencies),
    restoreShard: restoreShardActivity(dependencies),
    returnNode: returnNodeActivity(dependencies),
    compareReplica: compareReplica(dependencies),
    ...validationActivities(dependencies),
    runHook: runHook(dependencies),
    writeReport: writeReport(dependencies),
    sealAudit: sealAudit(dependencies),
  };
}
