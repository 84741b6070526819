import type { WorkflowClient, WorkflowExecutionDescription } from '@temporalio/client';
import { howFar, type FollowState } from '../model/follow-state.js';
import type { OperationStatus, StandbyStatus } from '../model/operation.js';
import type { Activities } from '../model/work.js';
import { heartbeatsOf } from './heartbeats.js';

/** What a follower says with its heartbeat. */
export type FollowBeat = Pick<FollowState, 'shard' | 'standby' | 'lagBytes' | 'lagMs' | 'comparison'>;

/** A heartbeat older than this says nothing of now, ms: one comes about every second. */
const OLDEST_MS = 10_000;

const following: keyof Activities = 'follow';

/**
 * The status with what the followers of its standbys say at this moment: the workflow itself knows what they said when it
 * last looked. Read from Temporal alone; what nothing is heard of stays as it is.
 */
export function withLiveStandbys(
  status: OperationStatus,
  description: WorkflowExecutionDescription,
  client: Pick<WorkflowClient, 'options'>,
): OperationStatus {
  const { fallback } = status;
  if (!fallback || fallback.standbys.length === 0 || status.result !== undefined) return status;
  const beats = heartbeatsOf<FollowBeat>(description, client, [following], OLDEST_MS);
  const standbys = fallback.standbys.map((it): StandbyStatus => {
    const beat = beats.find(({ shard, standby }) => shard === it.shard && standby === it.address);
    return beat ? { ...it, ...howFar(beat), live: true } : it;
  });
  return { ...status, fallback: { ...fallback, standbys } };
}
