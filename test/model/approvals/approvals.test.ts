// An approval twice, by the wrong role, by the starter, too late, or of something that nobody asked.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  answer,
  approversOf,
  ask,
  expire,
  isRefused,
  mayReachQuorum,
  openDesk,
  openRecords,
  recordOf,
  type AnswerInput,
  type ApprovalDesk,
} from '../../../model/approvals.js';
import type { ApprovalPolicy } from '../../../model/policy.js';

const HOUR = 3_600_000;
const start = Date.parse('2026-11-21T10:00:00.000Z');
const at = (hours: number): string => new Date(start + hours * HOUR).toISOString();
const roles = { engineering: ['ana', 'ben', 'cem'], operations: ['olu', 'ben'], product: ['pia'] };
const rule: ApprovalPolicy = {
  roles: ['engineering', 'operations'],
  quorum: 2,
  expires: 24 * HOUR,
  selfApproval: false,
};

const asked = (
  policy: Partial<ApprovalPolicy> = {},
  approval = 'handover',
  desk = openDesk('ana', roles),
): ApprovalDesk => ask(desk, { approval, question: 'May writes move?', policy: { ...rule, ...policy }, now: at(0) });
const say = (desk: ApprovalDesk, by: string, rest: Partial<AnswerInput> = {}): ApprovalDesk => {
  const result = answer(desk, { by, decision: 'approve', now: at(1), ...rest });
  if (isRefused(result)) throw new Error(result.refused);
  return result;
};
const refusal = (desk: ApprovalDesk, by: string, rest: Partial<AnswerInput> = {}): string => {
  const result = answer(desk, { by, decision: 'approve', now: at(1), ...rest });
  if (!isRefused(result)) throw new Error('it was not refused');
  return result.refused;
};
const state = (desk: ApprovalDesk, approval = 'handover'): string | undefined => recordOf(desk, approval)?.state;

test('a quorum of different people approves; the role that counted is on record', () => {
  const once = say(asked(), 'ben', { comment: 'fine' });
  expect(state(once)).toBe('open');
  const twice = say(once, 'olu');
  expect(state(twice)).toBe('approved');
  expect(recordOf(twice, 'handover')?.answers).toEqual([
    { by: 'ben', role: 'engineering', decision: 'approve', at: at(1), comment: 'fine' },
    { by: 'olu', role: 'operations', decision: 'approve', at: at(1) },
  ]);
});

test('the same person twice is one answer, whether the question is still open or not', () => {
  const once = say(asked(), 'ben');
  expect(say(once, 'ben')).toBe(once);
  const done = say(asked({ quorum: 1 }), 'ben');
  expect(say(done, 'ben')).toBe(done);
  expect(say(done, 'ben', { approval: 'handover' })).toBe(done);
});

test('another answer by the same person is refused', () =>
  expect(refusal(say(asked(), 'ben'), 'ben', { decision: 'reject' })).toMatch(
    /ben answered 'handover' with approve at 2026-11-21T11.*can't be changed/,
  ));

test('one rejection closes the question', () => {
  const rejected = say(say(asked(), 'ben'), 'cem', { decision: 'reject' });
  expect(state(rejected)).toBe('rejected');
  expect(refusal(rejected, 'olu', { approval: 'handover' })).toBe(
    "'handover' is rejected already; no approval is open",
  );
});

test('the starter does not count, unless the policy says so, but may reject', () => {
  expect(refusal(asked(), 'ana')).toBe(
    "ana started this operation and doesn't count for 'handover' (selfApproval is off); ben, cem, olu may",
  );
  expect(state(say(asked({ selfApproval: true, quorum: 1 }), 'ana'))).toBe('approved');
  expect(state(say(asked(), 'ana', { decision: 'reject' }))).toBe('rejected');
  const desk = asked();
  const [record] = openRecords(desk);
  expect(record && approversOf(desk, record)).toEqual(['ben', 'cem', 'olu']);
});

test('the wrong role, and nobody at all, hear who may', () => {
  expect(refusal(asked(), 'pia')).toBe(
    "pia has the role product, and 'handover' takes engineering or operations; ben, cem, olu may",
  );
  expect(refusal(asked(), 'Olu')).toBe(
    "Olu has no role in policy.roles, and 'handover' takes engineering or operations; ben, cem, olu may; did you mean 'olu'?",
  );
});

test('a question that nobody asked, or several at once, hear which are open', () => {
  expect(refusal(asked(), 'ben', { approval: 'handovr' })).toBe(
    "nobody asked for 'handovr'; the open one is 'handover'; did you mean 'handover'?",
  );
  const two = asked({}, 'handover:shard-2', asked({}, 'handover:shard-1'));
  expect(refusal(two, 'ben')).toBe("several approvals are open: name one of 'handover:shard-1', 'handover:shard-2'");
  expect(state(say(two, 'ben', { approval: 'handover:shard-2' }), 'handover:shard-1')).toBe('open');
  expect(refusal(openDesk('ana', roles), 'ben')).toBe('no approval is open');
});

test('at the deadline it is asked anew, and the answers given are void but stay on record', () => {
  const once = say(asked(), 'ben');
  expect(expire(once, at(23.9))).toBe(once);
  const anew = expire(once, at(24));
  expect(anew.records.map(({ state, answers, expiresAt }) => [state, answers.length, expiresAt])).toEqual([
    ['expired', 1, at(24)],
    ['open', 0, at(48)],
  ]);
  expect(state(say(anew, 'olu', { now: at(25) }))).toBe('open');
});

test('an answer after the deadline counts for the question asked anew, alone', () => {
  const late = say(say(asked(), 'ben'), 'olu', { now: at(30) });
  expect(state(late)).toBe('open');
  expect(recordOf(late, 'handover')?.answers.map(({ by }) => by)).toEqual(['olu']);
  expect(state(say(late, 'ben', { now: at(31) }))).toBe('approved');
});

test('asking twice asks once, also after it was decided', () => {
  const desk = asked();
  expect(asked({}, 'handover', desk)).toBe(desk);
  const done = say(say(desk, 'ben'), 'olu');
  expect(asked({}, 'handover', done)).toBe(done);
});

test('a quorum that can never be reached without the starter is found before anything begins', () => {
  const both: ApprovalPolicy = { ...rule, roles: ['operations'], quorum: 2 };
  expect(mayReachQuorum('finalize', both, 'olu', roles)).toMatchObject({
    state: 'fail',
    reason: "'finalize' needs 2 of operations, and without olu, who starts it, there is 1",
  });
  expect(mayReachQuorum('finalize', both, 'ana', roles)).toEqual({ state: 'pass' });
  expect(mayReachQuorum('finalize', { ...both, selfApproval: true }, 'olu', roles)).toEqual({ state: 'pass' });
});

test('whatever people do, only a quorum of different, entitled people approves, in one asking', () => {
  const event = fc.record({
    by: fc.constantFrom('ana', 'ben', 'cem', 'olu', 'pia', 'eve'),
    decision: fc.constantFrom('approve' as const, 'approve' as const, 'reject' as const),
    hours: fc.integer({ min: 0, max: 10 }),
  });
  fc.assert(
    fc.property(
      fc.array(event, { maxLength: 20 }),
      fc.integer({ min: 1, max: 4 }),
      fc.boolean(),
      (events, quorum, selfApproval) => {
        let desk = asked({ quorum, selfApproval });
        let hours = 0;
        for (const { by, decision, hours: later } of events) {
          hours += later;
          const before = structuredClone(desk);
          const result = answer(desk, { by, decision, now: at(hours) });
          // The state before is a workflow's: it must not change under its feet.
          expect(desk).toEqual(before);
          if (!isRefused(result)) desk = result;
        }
        expect(openRecords(desk).length).toBeLessThanOrEqual(1);
        for (const { state, answers, askedAt, expiresAt } of desk.records) {
          const approving = answers.filter(({ decision }) => decision === 'approve');
          expect(new Set(answers.map(({ by }) => by)).size).toBe(answers.length);
          for (const { by, role } of answers) expect(roles[role as keyof typeof roles]).toContain(by);
          for (const { at } of answers) expect(at >= askedAt && at < expiresAt).toBe(true);
          if (!selfApproval) expect(approving.map(({ by }) => by)).not.toContain('ana');
          expect(state === 'approved').toBe(
            approving.length >= quorum && answers.every(({ decision }) => decision === 'approve'),
          );
          if (state === 'rejected') expect(answers.at(-1)?.decision).toBe('reject');
        }
      },
    ),
  );
});
