import type { BackupTier } from './backup-tiers.js';

/** The names on the wire. They are documented and never renamed: scripts and saved inputs depend on them. */

export const TASK_QUEUE = 'redis-rollout';

export const workflowTypes = [
  'upgrade',
  'rollingUpgrade',
  'upgradeShard',
  'fallback',
  'backup',
  'verifyBackup',
  'scheduledBackup',
  'pruneBackups',
  'restore',
  'archive',
  'drDrill',
  'scheduledDrill',
  'assess',
  'staging',
] as const;
export type WorkflowType = (typeof workflowTypes)[number];

/** What deployments, roles, checks and hooks may be called: it becomes part of ids, paths and metrics as it is. */
export const NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;

/** The id is the lock: one operation that changes a deployment at a time. */
export const operationId = (deployment: string): string => `redis/${deployment}`;
/** @param hop of one hop of several, the release that it goes to: `redis/orders/7.0.15/rolling` */
export const rollingId = (parent: string, hop?: string): string =>
  `${parent}${hop === undefined ? '' : `/${hop}`}/rolling`;
/** Of a fallback within a running upgrade; one that is started by itself has the operation's id. */
export const fallbackId = (parent: string): string => `${parent}/fallback`;
export const shardId = (parent: string, shard: string): string => `${parent.replace(/\/rolling$/, '')}/${shard}`;

/** It changes nothing and holds no lock; under its id one at a time is taken. */
export const backupWorkflowId = (deployment: string): string => `${operationId(deployment)}/backup`;

/** Runs for as long as it is wanted. */
export const archiveWorkflowId = (deployment: string): string => `${operationId(deployment)}/archive`;

export const verifyBackupWorkflowId = (deployment: string): string => `${operationId(deployment)}/verify-backup`;

export const pruneBackupsWorkflowId = (deployment: string): string => `${operationId(deployment)}/prune-backups`;

/** Of a Temporal Schedule; the runs that it starts have the time behind it. */
export const backupScheduleId = (deployment: string, tier: BackupTier): string =>
  `${backupWorkflowId(deployment)}/${tier}`;
/** A dry run of a restore: it changes nothing and holds no lock. The restore itself has the operation's id. */
export const restorePlanWorkflowId = (deployment: string): string => `${operationId(deployment)}/restore-plan`;

/** Of a rehearsal; it changes nothing of the deployment and holds no lock. */
export const stagingWorkflowId = (deployment: string): string => `${operationId(deployment)}/staging`;

/** How commands and signals name an operation: most by their deployment alone. */
export const addressOfOperation = ({
  operation,
  deployment,
}: {
  operation: WorkflowType;
  deployment: string;
}): { name: string; workflowId: string } =>
  operation === 'staging'
    ? { name: stagingWorkflowId(deployment), workflowId: stagingWorkflowId(deployment) }
    : { name: deployment, workflowId: operationId(deployment) };

/** The copy that an upgrade is rehearsed on is a deployment of its own, with a lock of its own. */
export const copyName = (deployment: string): string => `${deployment}-staging`;

/** It holds no lock; under its id one at a time is held. */
export const drillWorkflowId = (deployment: string): string => `${operationId(deployment)}/drill`;

/** Of a Temporal Schedule; the runs that it starts have the time behind it. */
export const drillScheduleId = (deployment: string): string => `${drillWorkflowId(deployment)}/scheduled`;
/** It changes nothing and holds no lock; under its id one at a time is made. */
export const assessmentWorkflowId = (deployment: string): string => `${operationId(deployment)}/assess`;

/** Signals that steer, and updates of the same name that answer. */
export const controlNames = ['approve', 'reject', 'pause', 'resume', 'abort', 'override', 'fallback'] as const;
export type ControlName = (typeof controlNames)[number];

/** Between an operation and its children; not for people. */
export const familySignals = {
  ask: 'family-ask',
  answer: 'family-answer',
  blocked: 'family-blocked',
  nodes: 'family-nodes',
  standby: 'family-standby',
} as const;

/** Status, timeline and record of a child in one answer, for the report: each query of a workflow that has ended replays it. */
export const familyQuery = 'family-findings';

export const queryNames = ['status', 'plan', 'timeline', 'record'] as const;

export const searchAttributes = {
  deployment: 'RedisDeployment',
  operation: 'RedisOperation',
  phase: 'RedisPhase',
  from: 'RedisFromVersion',
  to: 'RedisToVersion',
  blockedOn: 'RedisBlockedOn',
} as const;
