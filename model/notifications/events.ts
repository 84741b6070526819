import { addressOfOperation } from '../names.js';
import type { EventKind } from '../notify-policy.js';
import type { ApprovalAnswer, ApprovalRecord, Instant, OperationStatus, TimelineEntry, Waiting } from '../operation.js';
import { heldFor } from './held.js';

/** One thing that people may be told of. The same thing has the same id each time it is looked for. */
export interface Notification {
  /** Within a run: `question/handover/2026-11-21T10:00:00.000Z`. */
  id: string;
  kind: EventKind;
  at: Instant;
  /** One line, without the deployment's name. */
  title: string;
  text: string;
  /** Does somebody have to act? */
  urgent: boolean;
  shard?: string;
  /** Of a question, and of an answer to it. */
  question?: ApprovalRecord;
  answer?: ApprovalAnswer;
  /** Of what somebody has to see to, and of its end: the same key for both. */
  alert?: { key: string; over: boolean };
}

/** What is known of an operation: as `status` and `timeline` answer, children merged in. */
export interface Seen {
  status: OperationStatus;
  timeline: readonly TimelineEntry[];
}

/**
 * Everything of an operation that people may be told of, oldest first. A pure function of what is known, so that nothing is
 * lost while nobody looks: what was told already is known by its id.
 *
 * @param now Unix ms: what holds is told once it has held for a while
 * @param told ids that were told already: of what held and holds no more, the end is told
 */
export function notificationsOf({ status, timeline }: Seen, now: number, told: ReadonlySet<string>): Notification[] {
  return [
    startOf(status),
    ...status.approvals.flatMap(ofQuestion),
    ...status.waiting.filter((it) => heldFor(it, status, now)).map(ofHeld),
    ...clearedOf(status, now, told),
    ...timeline.flatMap(ofEntry),
    ...endOf(status),
  ].sort((a, b) => a.at.localeCompare(b.at));
}

/** Questions that stand open need an answer however old they are. */
export const isOpen = ({ kind, question }: Notification): boolean => kind === 'question' && question?.state === 'open';

function startOf({ operation, from, to, via = [], startedAt, startedBy }: OperationStatus): Notification {
  const way = [...(from === '' ? [] : [from]), ...via, ...(to === '' ? [] : [to])].join(' → ');
  const what = way === '' ? operation : `${operation} ${way}`;
  return {
    id: 'started',
    kind: 'started',
    at: startedAt,
    title: `${what} started`,
    text: `Started by ${startedBy}.`,
    urgent: false,
  };
}

function ofQuestion(record: ApprovalRecord): Notification[] {
  const { approval, askedAt, expiresAt, question, state, answers } = record;
  const asked: Notification = {
    id: questionId(record),
    kind: 'question',
    at: askedAt,
    title: `${approval}: an answer is needed`,
    text: question,
    urgent: true,
    question: record,
    alert: { key: questionId(record), over: false },
  };
  const over = { alert: { key: questionId(record), over: true } };
  const given = answers.map((answer): Notification => {
    const { by, decision, at, comment } = answer;
    const did = decision === 'approve' ? 'approved' : 'rejected';
    const said = comment === undefined ? '' : `: ${comment}`;
    const count = answers.filter((it) => it.decision === 'approve' && it.at <= at).length;
    return {
      id: `answer/${approval}/${askedAt}/${by}`,
      kind: 'answer',
      at,
      title: `${approval} ${did} by ${by}`,
      text: `${decision === 'approve' ? `${count} of ${record.quorum}` : 'The operation ends at the next safe point'}${said}`,
      urgent: false,
      question: record,
      answer,
      ...(state !== 'open' && answer === answers.at(-1) ? over : {}),
    };
  });
  if (state !== 'expired') return [asked, ...given];
  const text = 'Nobody decided in time: it is asked anew, and what was answered is void.';
  const expired = {
    id: `expired/${approval}/${askedAt}`,
    kind: 'answer',
    at: expiresAt,
    title: `${approval} expired`,
  } as const;
  return [asked, ...given, { ...expired, text, urgent: false, question: record, ...over }];
}

export const questionId = ({ approval, askedAt }: Pick<ApprovalRecord, 'approval' | 'askedAt'>): string =>
  `question/${approval}/${askedAt}`;

const heldId = ({ kind, name, shard, since }: Waiting): string => `blocked/${kind}:${name}/${shard ?? ''}/${since}`;

function ofHeld(waiting: Waiting): Notification {
  const { kind, name, shard, reason, clears, since } = waiting;
  const id = heldId(waiting);
  return {
    id,
    kind: 'blocked',
    at: since,
    title: `held by ${kind} ${name}${shard === undefined ? '' : ` (${shard})`}`,
    text: `${reason}. Goes on when ${clears}.`,
    urgent: true,
    alert: { key: id, over: false },
    ...(shard === undefined ? {} : { shard }),
  };
}

/** What was told to hold, and holds no more. */
function clearedOf({ waiting, endedAt }: OperationStatus, now: number, told: ReadonlySet<string>): Notification[] {
  const holding = new Set(endedAt === undefined ? waiting.map(heldId) : []);
  return [...told]
    .filter((id) => id.startsWith('blocked/') && !holding.has(id))
    .map((id) => {
      const [, what = '', shard = ''] = id.split('/');
      return {
        id: id.replace('blocked/', 'cleared/'),
        kind: 'blocked',
        at: endedAt ?? new Date(now).toISOString(),
        title: `${what.replace(':', ' ')}${shard === '' ? '' : ` (${shard})`} holds no more`,
        text: endedAt === undefined ? 'It goes on.' : 'The operation has ended.',
        urgent: false,
        alert: { key: id, over: true },
        ...(shard === '' ? {} : { shard }),
      };
    });
}

/** What the other events don't say already. */
function ofEntry({ at, kind, shard, node, text }: TimelineEntry): Notification[] {
  const where = [shard, node].filter((it) => it !== undefined && !text.includes(it)).join(' ');
  const title = where === '' ? text : `${where}: ${text}`;
  const told = { at, title: firstLine(title), text: title, ...(shard === undefined ? {} : { shard }) };
  const id = `${kind}/${at}/${title.slice(0, 80)}`;
  if (kind === 'control') return [{ id, kind, urgent: false, ...told }];
  if (kind === 'failure') return [{ id, kind, urgent: true, ...told }];
  const isPhase = kind === 'phase' && !/^(awaiting approval|completed|stopped|aborted|fell back|paused):/.test(text);
  if (isPhase || kind === 'handover') return [{ id, kind: 'progress', urgent: false, ...told }];
  return [];
}

function endOf(status: OperationStatus): Notification[] {
  const { result, endedAt, statement = '', operation, progress } = status;
  if (result === undefined || endedAt === undefined) return [];
  const id = 'ended';
  const bad = result === 'stopped';
  const next = bad ? `\nWhat happened, and how to go on: rollout status ${addressOfOperation(status).name}` : '';
  const done = progress.nodes === 0 ? '' : `, ${progress.upgraded} of ${progress.nodes} nodes done`;
  return [
    {
      ...{ id, kind: 'ended', at: endedAt, urgent: bad },
      title: `${operation} ${result}${done}`,
      text: `${statement}${next}`,
      // Not of the run: the next one that ends well is its end.
      alert: { key: id, over: !bad },
    },
  ];
}

const firstLine = (text: string): string => {
  const [line = ''] = text.split('\n');
  return line.length > 200 ? `${line.slice(0, 199)}…` : line;
};
