import type { ApprovalPolicy } from './policy.js';
import { nearest } from './nearest.js';
import type { ApprovalAnswer, ApprovalRecord, ApproveInput, Instant } from './operation.js';
import { judgeSignature, type Signing } from './signed-answer.js';
import { fail, pass, type Verdict } from './verdict.js';

/** The questions of one operation and who may answer them. Plain data: it lives in a workflow. */
export interface ApprovalDesk {
  /** Who started the operation. */
  startedBy: string;
  /** Who holds which role, from the deployment's policy. */
  roles: Readonly<Record<string, readonly string[]>>;
  /** Whose signatures count; absent until the policy is known. */
  signing?: Signing;
  /** Every asking, oldest first; one that expired stays, as the record of it. */
  records: readonly ApprovalRecord[];
  /** By approval name: what its policy adds to the record. */
  rules: Readonly<Record<string, { selfApproval: boolean; expiresMs: number; askedBy?: string }>>;
}

export interface Refused {
  /** Why, and what would be accepted. */
  refused: string;
}

export interface AskInput {
  /** As `approvalName` builds it. */
  approval: string;
  question: string;
  policy: ApprovalPolicy;
  now: Instant;
  /** Whose wish it is, where that is not the wish of who started the operation: then it is this person who doesn't count. */
  askedBy?: string;
}

export interface AnswerInput extends ApproveInput {
  decision: ApprovalAnswer['decision'];
  now: Instant;
}

/** `handover`, `handover:shard-2`; of one hop of several `handover:7.0.15`, so that no answer serves for another hop. */
export const approvalName = (question: string, { hop, shard }: { hop?: string; shard?: string }): string =>
  [question, hop, shard].filter((it) => it !== undefined).join(':');

export const openDesk = (startedBy: string, roles: ApprovalDesk['roles']): ApprovalDesk => ({
  startedBy,
  roles,
  records: [],
  rules: {},
});

export const isRefused = (result: ApprovalDesk | Refused): result is Refused => 'refused' in result;

/** The latest asking of an approval. */
export const recordOf = (desk: ApprovalDesk, approval: string): ApprovalRecord | undefined =>
  desk.records.findLast((record) => record.approval === approval);

export const openRecords = (desk: ApprovalDesk): ApprovalRecord[] =>
  desk.records.filter(({ state }) => state === 'open');

/** Who may approve it, each once: the starter only where the policy says so. */
export function approversOf(desk: ApprovalDesk, record: ApprovalRecord): string[] {
  const people = [...new Set(record.roles.flatMap((role) => desk.roles[role] ?? []))];
  return desk.rules[record.approval]?.selfApproval
    ? people
    : people.filter((person) => person !== wishOf(desk, record.approval));
}

const wishOf = (desk: ApprovalDesk, approval: string): string => desk.rules[approval]?.askedBy ?? desk.startedBy;

/**
 * Are there enough people for the quorum once the starter doesn't count? Asked before anything is touched: a question
 * that nobody can answer would hold an upgrade for ever.
 */
export function mayReachQuorum(
  approval: string,
  policy: ApprovalPolicy,
  startedBy: string,
  roles: ApprovalDesk['roles'],
  path = `policy.approvals.${approval}`,
): Verdict {
  const people = [...new Set(policy.roles.flatMap((role) => roles[role] ?? []))];
  const counting = policy.selfApproval ? people : people.filter((person) => person !== startedBy);
  if (counting.length >= policy.quorum) return pass();
  return fail(
    `'${approval}' needs ${policy.quorum} of ${policy.roles.join(', ')}, and without ${startedBy}, who starts it, there ${counting.length === 1 ? 'is' : 'are'} ${counting.length}`,
    `somebody else starts it, or ${path} allows selfApproval or a smaller quorum`,
  );
}

const later = (now: Instant, ms: number): Instant => new Date(Date.parse(now) + ms).toISOString();

/** Puts a question. Asking again what is open or decided changes nothing, so that a replayed step asks once. */
export function ask(desk: ApprovalDesk, { approval, question, policy, now, askedBy }: AskInput): ApprovalDesk {
  const current = expire(desk, now);
  if (recordOf(current, approval)) return current;
  return {
    ...current,
    rules: {
      ...current.rules,
      [approval]: {
        ...{ selfApproval: policy.selfApproval, expiresMs: policy.expires },
        ...(askedBy === undefined ? {} : { askedBy }),
      },
    },
    records: [
      ...current.records,
      {
        approval,
        question,
        roles: [...policy.roles],
        quorum: policy.quorum,
        askedAt: now,
        expiresAt: later(now, policy.expires),
        state: 'open',
        answers: [],
        ...(desk.signing?.required ? { signed: true } : {}),
      },
    ],
  };
}

/**
 * Questions whose deadline has passed are asked anew, and the answers given to them are void. The deadline itself still
 * counts as passed.
 */
export function expire(desk: ApprovalDesk, now: Instant): ApprovalDesk {
  const due = openRecords(desk).filter(({ expiresAt }) => Date.parse(expiresAt) <= Date.parse(now));
  if (due.length === 0) return desk;
  return {
    ...desk,
    records: [
      ...desk.records.map((record) => (due.includes(record) ? { ...record, state: 'expired' as const } : record)),
      ...due.map((record) => ({
        ...record,
        askedAt: now,
        expiresAt: later(now, desk.rules[record.approval]?.expiresMs ?? 0),
        answers: [],
      })),
    ],
  };
}

/**
 * Takes one answer. The same function serves the synchronous validator (is it refused?) and the handler (what is the
 * desk then?). The same answer twice is one answer: a client that got no reply asks again.
 */
export function answer(desk: ApprovalDesk, input: AnswerInput): ApprovalDesk | Refused {
  const { by, decision, askedAt, comment, signature, now } = input;
  const current = expire(desk, now);
  const record = find(current, input);
  if ('refused' in record) return record;
  if (askedAt !== undefined && Date.parse(askedAt) !== Date.parse(record.askedAt))
    return {
      refused: `this answers '${record.approval}' as it was asked at ${askedAt}, and it was asked anew at ${record.askedAt}: answer that`,
    };

  const before = record.answers.find((it) => it.by === by);
  if (before)
    return before.decision === decision
      ? current
      : {
          refused: `${by} answered '${record.approval}' with ${before.decision} at ${before.at}; an answer can't be changed${instead(decision)}`,
        };
  if (record.state !== 'open')
    return { refused: `'${record.approval}' is ${record.state} already; ${openOnes(current)}${instead(decision)}` };

  const role = record.roles.find((it) => desk.roles[it]?.includes(by));
  if (role === undefined) return { refused: wrongRole(current, record, by) };
  // Who started it may well say no to it.
  if (decision === 'approve' && by === wishOf(desk, record.approval) && !desk.rules[record.approval]?.selfApproval)
    return {
      refused: `${by} ${desk.rules[record.approval]?.askedBy === undefined ? 'started this operation' : 'asked for this'} and doesn't count for '${record.approval}' (selfApproval is off); ${whoMay(current, record)}`,
    };

  const said = { by, decision, ...(comment === undefined ? {} : { comment }) };
  const { approval, askedAt: asked } = record;
  const judged = judgeSignature(desk.signing, { approval, askedAt: asked, ...said }, signature);
  if ('refused' in judged) return judged;

  const answers = [...record.answers, { ...said, role, at: now, ...judged }];
  const approved = answers.filter((it) => it.decision === 'approve').length >= record.quorum;
  const state = decision === 'reject' ? 'rejected' : approved ? 'approved' : 'open';
  return {
    ...current,
    records: current.records.map((it) => (it === record ? { ...record, answers, state } : it)),
  };
}

/** Whoever says no too late wants it to end: that can be had. */
const instead = (decision: ApprovalAnswer['decision']): string =>
  decision === 'reject' ? '; to end the operation all the same, abort it' : '';

function find(desk: ApprovalDesk, { approval, by }: AnswerInput): ApprovalRecord | Refused {
  const open = openRecords(desk);
  if (approval !== undefined) {
    const record = recordOf(desk, approval);
    if (record) return record;
    const meant = nearest(
      approval,
      desk.records.map((it) => it.approval),
    );
    return {
      refused: `nobody asked for '${approval}'; ${openOnes(desk)}${meant === undefined ? '' : `; did you mean '${meant}'?`}`,
    };
  }
  const [only, ...others] = open;
  if (only && others.length === 0) return only;
  if (only) return { refused: `several approvals are open: name one of ${names(open)}` };
  // The answer that closed the last question may come a second time, without its name.
  const last = desk.records.at(-1);
  return last?.answers.some((it) => it.by === by) ? last : { refused: openOnes(desk) };
}

const names = (records: readonly ApprovalRecord[]): string => records.map((it) => `'${it.approval}'`).join(', ');

function openOnes(desk: ApprovalDesk): string {
  const open = openRecords(desk);
  if (open.length === 0) return 'no approval is open';
  return `${open.length === 1 ? 'the open one is' : 'open are'} ${names(open)}`;
}

function wrongRole(desk: ApprovalDesk, record: ApprovalRecord, by: string): string {
  const held = Object.keys(desk.roles).filter((role) => desk.roles[role]?.includes(by));
  const meant = held.length > 0 ? undefined : nearest(by, Object.values(desk.roles).flat());
  const has = held.length > 0 ? `has the role ${held.join(' and ')}` : 'has no role in policy.roles';
  return `${by} ${has}, and '${record.approval}' takes ${record.roles.join(' or ')}; ${whoMay(desk, record)}${meant === undefined ? '' : `; did you mean '${meant}'?`}`;
}

function whoMay(desk: ApprovalDesk, record: ApprovalRecord): string {
  const people = approversOf(desk, record).filter((person) => !record.answers.some(({ by }) => by === person));
  return people.length === 0 ? 'nobody else may' : `${people.join(', ')} may`;
}
