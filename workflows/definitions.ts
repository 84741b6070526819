import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { ApprovalPolicy } from '../model/policy.js';
import { familyQuery, familySignals } from '../model/names.js';
import type {
  ApproveInput,
  ControlInput,
  NodeStatus,
  OperationStatus,
  OverrideInput,
  StandbyStatus,
  TimelineEntry,
  Waiting,
} from '../model/operation.js';
import type { Plan } from '../model/plan.js';
import type { Findings, OperationRecord } from '../model/report.js';

/** A child's question to its root. */
export interface Asked {
  /** Workflow that waits for the answer. */
  from: string;
  approval: string;
  question: string;
  policy: ApprovalPolicy;
  shard?: string;
  /** Whose wish it is, where that is not who started the operation. */
  askedBy?: string;
}
export interface Answered {
  approval: string;
  decision: 'approved' | 'rejected';
  by: string;
}
/** What a child waits for, told to its root with every change. */
export interface Blocked {
  from: string;
  waiting: Waiting[];
}

// What people say has one name as a signal (fire and forget: Temporal UI, chat) and as an update (validated, answered:
// `rollout`); people.ts handles both by that name.
export const approveSignal = defineSignal<[ApproveInput]>('approve');

/** Each answers with one sentence that says what was recorded, or is rejected with what was expected. */
export const approveUpdate = defineUpdate<string, [ApproveInput]>('approve');
export const rejectUpdate = defineUpdate<string, [ApproveInput]>('reject');
export const pauseUpdate = defineUpdate<string, [ControlInput]>('pause');
export const resumeUpdate = defineUpdate<string, [ControlInput]>('resume');
export const abortUpdate = defineUpdate<string, [ControlInput]>('abort');
export const overrideUpdate = defineUpdate<string, [OverrideInput]>('override');

// Between a root and its children; not for people.
export const askSignal = defineSignal<[Asked]>(familySignals.ask);
export const answerSignal = defineSignal<[Answered]>(familySignals.answer);
export const blockedSignal = defineSignal<[Blocked]>(familySignals.blocked);

/** How nodes came out of what a child did to them. */
export interface NodesCame {
  addresses: string[];
  release: string;
  state: NodeStatus['state'];
}
export const nodesSignal = defineSignal<[NodesCame]>(familySignals.nodes);

/** What became of a shard's standby: whoever is the root follows for one that is frozen, until it serves or is removed. */
export interface StandbyCame {
  shard: string;
  address: string;
  release: string;
  state: StandbyStatus['state'] | 'removed';
}
export const standbySignal = defineSignal<[StandbyCame]>(familySignals.standby);

export const statusQuery = defineQuery<OperationStatus>('status');
export const planQuery = defineQuery<Plan | undefined>('plan');
export const timelineQuery = defineQuery<TimelineEntry[]>('timeline');
export const recordQuery = defineQuery<OperationRecord>('record');
export const findingsQuery = defineQuery<Findings>(familyQuery);
