import {
  ApplicationFailure,
  condition,
  defineUpdate,
  executeChild,
  setHandler,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import type { ApprovalRecord, ApproveInput, OperationStatus, TimelineEntry } from '../../../../model/operation.js';
import type { FallbackInput, UpgradeInput } from '../../../../model/inputs.js';
import { shardId, type WorkflowType } from '../../../../model/names.js';
import type { OperationRecord } from '../../../../model/report.js';
import {
  abortUpdate,
  approveSignal,
  approveUpdate,
  overrideUpdate,
  pauseUpdate,
  findingsQuery,
  planQuery,
  recordQuery,
  rejectUpdate,
  resumeUpdate,
  statusQuery,
  timelineQuery,
} from '../../../../workflows/definitions.js';

const fallbackUpdate = defineUpdate<string, [{ by: string; reason: string; shard?: string }]>('fallback');

// Stands where the real upgrade stands, under the same names, without any Redis: it goes on only when the test says so,
// so that the command can be looked at in every state. Whether the real workflows behave is tested with them.

/** Asks for `handover`; ana may say yes. With yes it has one shard upgraded by a child, waits for a gate, and completes. */
export async function upgrade(input: UpgradeInput): Promise<OperationStatus> {
  if (input.deployment === 'nowhere')
    throw ApplicationFailure.nonRetryable("no deployment 'nowhere' in /srv: there are orders", 'UnknownDeployment');
  const { status, record, say } = begin('upgrade', input);
  if (input.deployment === 'crowded') {
    // Longer than anybody waits for a worker: this one is there, and slow.
    await sleep('8 s');
    status.result = 'stopped';
    say('stopped', 'it is about to end');
    await sleep('1 s');
    throw ApplicationFailure.nonRetryable('8.0 does not read what crowded has', 'BadTarget');
  }
  record.releases.push({ node: '127.0.0.1:7001', before: '5.0.6', after: '8.0.6' });
  let decision: 'approve' | 'reject' | 'abort' | 'fallback' | undefined;
  let by = '';
  const question = approval();
  status.approvals.push(question);
  const validator = ({ approval, by }: ApproveInput): void => {
    if (approval !== undefined && approval !== 'handover')
      throw ApplicationFailure.nonRetryable(`nothing asks for '${approval}': open are handover`);
    if (by !== 'ana') throw ApplicationFailure.nonRetryable(`${by} is not in engineering, which is asked: ana`);
  };
  const decide = (what: typeof decision, who: string): string => {
    decision = what;
    by = who;
    if (what !== 'abort' && what !== 'fallback')
      question.answers.push({ by: who, role: 'engineering', decision: what ?? 'reject', at: now() });
    return `${what ?? ''} by ${who} recorded`;
  };
  setHandler(approveUpdate, ({ by }) => decide('approve', by), { validator });
  setHandler(approveSignal, ({ by }) => void decide('approve', by));
  setHandler(rejectUpdate, ({ by }) => decide('reject', by), { validator });
  setHandler(abortUpdate, ({ by }) => decide('abort', by));
  setHandler(fallbackUpdate, ({ by, reason, shard }) => {
    decide('fallback', by);
    return `fallback of ${shard ?? 'every shard'} by ${by}: ${reason}`;
  });
  setHandler(pauseUpdate, ({ by }) => `paused by ${by}`);
  setHandler(resumeUpdate, ({ by }) => `resumed by ${by}`);
  let overridden = false;
  setHandler(overrideUpdate, ({ gate, by, reason }) => {
    overridden = true;
    return `gate ${gate} overridden by ${by}: ${reason}`;
  });

  say('awaiting approval', 'handover of shard-1 asks for one of engineering');
  status.waiting = [
    {
      kind: 'approval',
      name: 'handover',
      reason: question.question,
      since: now(),
      clears: 'one of engineering approves',
      command: `rollout approve ${input.deployment} --approval handover`,
    },
  ];
  await condition(() => decision !== undefined);
  status.waiting = [];
  if (decision !== 'approve') {
    status.result = decision === 'abort' ? 'aborted' : decision === 'fallback' ? 'fell back' : 'stopped';
    status.statement = `${decision ?? ''} by ${by}: every node runs 5.0.6, nothing was touched.`;
    status.endedAt = now();
    say(status.result, status.statement);
    return status;
  }
  question.state = 'approved';
  say('rolling shards', 'one of one');
  status.children = [shardId(status.workflowId, 'shard-1')];
  await executeChild(upgradeShard, {
    workflowId: shardId(status.workflowId, 'shard-1'),
    args: [{ ...input, shard: 'shard-1' }],
  });
  status.children = [];
  for (const shard of status.shards) shard.state = 'upgraded';
  status.gates = [
    {
      gate: 'memory',
      before: 'before finalize',
      since: now(),
      verdict: { state: 'fail', reason: '3 % of maxmemory are free', clears: '10 % are free' },
    },
  ];
  status.waiting = [
    {
      kind: 'gate',
      name: 'memory',
      reason: '3 % of maxmemory are free',
      since: now(),
      clears: '10 % are free',
      command: `rollout override ${input.deployment} --gate memory --reason …`,
    },
  ];
  say('validating', 'gate memory before finalize');
  await condition(() => overridden);
  status.waiting = [];
  status.result = 'completed';
  status.endedAt = now();
  say('completed', 'all nodes run 8.0.6');
  return status;

  function approval(): ApprovalRecord {
    return {
      approval: 'handover',
      question: 'May shard-1 be handed over?',
      roles: ['engineering'],
      quorum: 1,
      askedAt: now(),
      expiresAt: new Date(Date.now() + 86_400_000).toISOString(),
      state: 'open',
      answers: [],
    };
  }
}

/** Of what nobody knows, or has nothing to go back to, it says so; `held` goes on with a word; the others complete. */
export async function fallback(input: FallbackInput): Promise<OperationStatus> {
  const { deployment, reason, shards } = input;
  if (deployment === 'nowhere')
    throw ApplicationFailure.nonRetryable("no deployment 'nowhere' in /srv: there are orders", 'UnknownDeployment');
  if (deployment === 'bare')
    throw ApplicationFailure.nonRetryable(
      'shard-1 is served by 127.0.0.1:7002 on 8.0.6, and has no standby',
      'StandbyLost',
    );
  const { status, say } = begin('fallback', { ...input, to: '5.0.6' });
  let held = deployment === 'held';
  setHandler(fallbackUpdate, () => '', {
    validator: ({ reason }) => {
      if (reason !== '') throw ApplicationFailure.nonRetryable('it is a fallback already');
    },
  });
  setHandler(resumeUpdate, ({ by }) => {
    held = false;
    return `resumed by ${by}`;
  });
  say('falling back', `${shards.join(', ') || 'every shard'}: ${reason}`);
  await condition(() => !held);
  status.result = 'completed';
  status.endedAt = now();
  say('completed', 'every node runs 5.0.6');
  return status;
}

/** Knows more of its shard than the root does, as the real one. */
export function upgradeShard(input: UpgradeInput & { shard: string }): Promise<void> {
  const { status, timeline, record, say } = begin('upgradeShard', input);
  timeline.push({ at: now(), until: now(), kind: 'step', shard: input.shard, node: '127.0.0.1:7002', text: 'rejoin' });
  record.resyncs.push({ node: '127.0.0.1:7002', shard: input.shard, kind: 'partial', ms: 120 });
  for (const shard of status.shards) {
    shard.state = 'upgraded';
    for (const node of shard.nodes) Object.assign(node, { state: 'upgraded', release: '8.0.6' });
  }
  say('completed', 'shard-1 is upgraded');
  return Promise.resolve();
}

function begin(operation: WorkflowType, input: Pick<UpgradeInput, 'deployment' | 'to' | 'startedBy'>) {
  const status: OperationStatus = {
    deployment: input.deployment,
    operation,
    workflowId: workflowInfo().workflowId,
    from: '5.0.6',
    to: '8.0.6',
    phase: 'assessing',
    reason: 'reading the deployment',
    startedAt: now(),
    startedBy: input.startedBy,
    progress: { upgraded: 0, nodes: 2 },
    waiting: [],
    shards: [
      {
        shard: 'shard-1',
        state: 'waiting',
        phase: 'waiting',
        nodes: [
          { address: '127.0.0.1:7001', role: 'primary', release: '5.0.6', state: 'waiting' },
          { address: '127.0.0.1:7002', role: 'replica', release: '5.0.6', state: 'waiting' },
        ],
      },
    ],
    children: [],
    approvals: [],
    gates: [],
    artefacts: '',
  };
  const timeline: TimelineEntry[] = [];
  const record: OperationRecord = {
    verify: [],
    configuration: [],
    releases: [],
    resyncs: [],
    handovers: [],
    backups: [],
  };
  setHandler(statusQuery, () => status);
  setHandler(timelineQuery, () => timeline);
  setHandler(recordQuery, () => record);
  setHandler(findingsQuery, () => ({ status, timeline, record }));
  setHandler(planQuery, () => undefined);
  const say = (phase: OperationStatus['phase'], reason: string): void => {
    Object.assign(status, { phase, reason });
    timeline.push({ at: now(), kind: 'phase', text: `${phase}: ${reason}` });
  };
  return { status, timeline, record, say };
}

const now = (): string => new Date().toISOString();
