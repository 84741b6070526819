// Told twice, told never, or told that a gate holds which has let go long since.
import { expect, test } from 'vitest';
import { notificationsOf, type Notification } from '../../../model/notifications/events.js';
import { messageOf } from '../../../model/notifications/message.js';
import type { ApprovalRecord, OperationStatus, TimelineEntry, Waiting } from '../../../model/operation.js';
import { fail, wait } from '../../../model/verdict.js';

const start = Date.parse('2026-11-21T10:00:00.000Z');
const at = (seconds: number): string => new Date(start + seconds * 1000).toISOString();
const none: ReadonlySet<string> = new Set();

const status = (more: Partial<OperationStatus> = {}): OperationStatus => ({
  ...{ deployment: 'orders', operation: 'upgrade', workflowId: 'redis/orders', run: 'r', from: '5.0.6', to: '8.0.6' },
  ...{ phase: 'rolling shards', reason: '3 shards', startedAt: at(0), startedBy: 'olu' },
  ...{
    progress: { upgraded: 1, nodes: 6 },
    waiting: [],
    shards: [],
    children: [],
    approvals: [],
    gates: [],
    artefacts: '',
  },
  ...more,
});
const question = (more: Partial<ApprovalRecord> = {}): ApprovalRecord => ({
  ...{
    approval: 'handover',
    question: 'Hand over?',
    roles: ['engineering'],
    quorum: 2,
    askedAt: at(10),
    expiresAt: at(3610),
  },
  ...{ state: 'open', answers: [] },
  ...more,
});
const gate = (more: Partial<Waiting> = {}): Waiting => ({
  ...{
    kind: 'gate',
    name: 'memory',
    reason: 'before shard-1: 3 % free',
    since: at(20),
    clears: '10 % are',
    command: 'rollout override orders --gate memory --reason "…"',
  },
  ...more,
});
const ids = (events: readonly Notification[]): string[] => events.map(({ id }) => id);
const look = (
  more: Partial<OperationStatus>,
  seconds: number,
  told = none,
  timeline: TimelineEntry[] = [],
): Notification[] => notificationsOf({ status: status(more), timeline }, start + seconds * 1000, told);

test('whatever was to be told stays so, by the same id, however often and however late it is looked', () => {
  const answers = [{ by: 'ana', role: 'engineering', decision: 'approve' as const, at: at(30) }];
  const timeline: TimelineEntry[] = [
    { at: at(5), kind: 'phase', text: 'rolling shards: 3 shards' },
    { at: at(6), kind: 'control', text: 'paused by ana: lunch' },
    { at: at(6), kind: 'control', text: 'approve was refused: cleo has the role product' },
    { at: at(7), kind: 'failure', shard: 'shard-1', text: 'rejoin: it did not' },
    { at: at(8), kind: 'handover', shard: 'shard-1', node: '10.0.0.4:6379', text: 'hand over to 10.0.0.5:6379' },
  ];
  const stages: [Partial<OperationStatus>, TimelineEntry[]][] = [
    [{}, []],
    [{ approvals: [question()] }, timeline.slice(0, 2)],
    [{ approvals: [question({ answers })] }, timeline.slice(0, 4)],
    [{ approvals: [question({ answers, state: 'expired' }), question({ askedAt: at(3610) })] }, timeline],
    [
      {
        approvals: [
          question({ answers, state: 'expired' }),
          question({
            askedAt: at(3610),
            state: 'rejected',
            answers: [{ by: 'abe', role: 'engineering', decision: 'reject', at: at(4000) }],
          }),
        ],
        ...{ result: 'aborted', endedAt: at(4001), statement: 'rejected by abe' },
      },
      timeline,
    ],
  ];
  let before: string[] = [];
  for (const [more, entries] of stages) {
    const now = ids(look(more, 5000, none, entries));
    expect(new Set(now).size).toBe(now.length);
    expect(now).toEqual(expect.arrayContaining(before));
    before = now;
  }
  expect(before).toHaveLength(12);
});

test('a gate that fails for a moment is no news; one that holds is told once, and its end once', () => {
  const failing = {
    gates: [{ gate: 'memory', before: 'shard-1', verdict: fail('3 % free', '10 % are'), since: at(20) }],
  };
  const holds = { ...failing, waiting: [gate()] };
  const blocked = (events: Notification[]): string[] => ids(events.filter(({ kind }) => kind === 'blocked'));
  expect(blocked(look(holds, 49))).toEqual([]);
  const [id = ''] = blocked(look(holds, 50));
  expect(id).toBe(`blocked/gate:memory//${at(20)}`);
  const told = new Set([id]);
  expect(blocked(look(holds, 90, told))).toEqual([id]);
  const over = look(failing, 95, told).filter(({ kind }) => kind === 'blocked');
  expect(over).toMatchObject([{ id: `cleared/gate:memory//${at(20)}`, alert: { key: id, over: true }, urgent: false }]);
  // It was never told to hold: its end is nobody's business.
  expect(blocked(look(failing, 95))).toEqual([]);
  // It holds again: that is another time.
  expect(blocked(look({ ...failing, waiting: [gate({ since: at(200) })] }, 300, told))).toHaveLength(2);
});

test('a gate that clears by itself is told after ten minutes, a window and a soak never', () => {
  const waits = {
    gates: [{ gate: 'memory', before: 'shard-1', verdict: wait('lags', 'it has caught up'), since: at(20) }],
  };
  const kinds = (waiting: Waiting, seconds: number): string[] =>
    ids(look({ ...waits, waiting: [waiting] }, seconds)).filter((id) => id.startsWith('blocked'));
  expect(kinds(gate(), 600)).toEqual([]);
  expect(kinds(gate(), 620)).toHaveLength(1);
  expect(kinds(gate({ name: 'window' }), 1e6)).toEqual([]);
  expect(kinds(gate({ kind: 'soak', name: 'soaking' }), 1e6)).toEqual([]);
  expect(kinds(gate({ kind: 'worker', name: 'deployment' }), 60)).toHaveLength(1);
});

test('a question’s alert is over with the answer that decides it, not with the first', () => {
  const [ana, abe] = ['ana', 'abe'].map((by, i) => ({
    by,
    role: 'engineering',
    decision: 'approve' as const,
    at: at(30 + i),
  }));
  if (!ana || !abe) throw new Error('two people');
  const over = (record: ApprovalRecord): (boolean | undefined)[] =>
    look({ approvals: [record] }, 60)
      .filter(({ question: of }) => of)
      .map(({ alert }) => alert?.over);
  expect(over(question({ answers: [ana] }))).toEqual([false, undefined]);
  expect(over(question({ answers: [ana, abe], state: 'approved' }))).toEqual([false, undefined, true]);
});

test('a message says what is asked, what it rests on, what follows from yes and no, who decides, and until when', () => {
  const policy = {
    roles: { engineering: ['ana', 'abe', 'olu'] },
    approvals: {
      signed: false,
      handover: { roles: ['engineering'], quorum: 2, expires: 1, selfApproval: false, per: 'upgrade' as const },
    },
  };
  const approvals = [question({ answers: [{ by: 'ana', role: 'engineering', decision: 'approve', at: at(30) }] })];
  const more: Partial<OperationStatus> = {
    approvals,
    gates: [
      { gate: 'memory', before: 'shard-1', verdict: { state: 'pass' }, since: at(1) },
      {
        gate: 'lag',
        before: 'shard-1',
        verdict: fail('it lags', 'it does not'),
        since: at(1),
        overriddenBy: { by: 'ben', reason: 'known', at: at(2) },
      },
    ],
    fallback: { class: 'lossless', reason: 'a standby has every write', policy: 'standby', since: at(1), standbys: [] },
  };
  const event = look(more, 60).find(({ kind }) => kind === 'question');
  if (!event) throw new Error('no question');
  const message = messageOf(event, { status: status(more), policy, temporalUrl: 'https://temporal.example.com/x' });
  expect(message).toEqual({
    title: 'orders: handover: an answer is needed',
    text: 'Hand over?',
    facts: [
      {
        label: 'Upgrade',
        text: '5.0.6 → 8.0.6; 1 of 6 nodes and 0 of 0 shards done; started by olu at 2026-11-21 10:00:00 UTC',
      },
      { label: 'Gates', text: '1 of 2 pass; lag overridden by ben: known' },
      { label: 'Going back', text: 'lossless: a standby has every write' },
      { label: 'Who decides', text: '2 of engineering: abe; so far ana (engineering)' },
      { label: 'Until', text: '2026-11-21 11:00:10 UTC; then it is asked anew, and what was answered is void' },
    ],
    consequences: {
      yes: 'Writes move to an upgraded replica on 8.0.6: held for a moment at each primary, none lost. The old primary is upgraded last.',
      no: 'One no is enough: it ends at the next safe point, as an abort does. 1 of 6 nodes stay as they are; the same start goes on from there, rollout fallback takes it back.',
    },
    links: [{ label: 'Temporal', url: 'https://temporal.example.com/x' }],
    commands: [
      'rollout approve orders --approval handover',
      'rollout reject orders --approval handover',
      'rollout status orders',
    ],
  });
});

test('a rehearsal is answered and looked at by its own name; its people are those of staging, and its end counts no nodes', () => {
  const approvals = [question({ approval: 'product', roles: ['product'], quorum: 1 })];
  const more: Partial<OperationStatus> = {
    ...{ operation: 'staging', workflowId: 'redis/orders/staging', startedBy: 'cleo', approvals },
    progress: { upgraded: 6, nodes: 0 },
  };
  const event = look(more, 60).find(({ kind }) => kind === 'question');
  if (!event) throw new Error('no question');
  const policy = { roles: { product: ['cleo', 'pia'] }, approvals: { signed: false } };
  const about = { status: status(more), policy };
  const message = messageOf(event, about);
  expect(message.commands).toEqual([
    'rollout approve redis/orders/staging --approval product',
    'rollout reject redis/orders/staging --approval product',
    'rollout status redis/orders/staging',
  ]);
  expect(message.consequences?.yes).toContain('ends in go: orders may be upgraded to 8.0.6');
  expect(message.consequences?.no).toContain('orders itself was not touched');
  const deciders = (signOffs: Record<string, { selfApproval: boolean }>): string | undefined =>
    messageOf(event, { ...about, signOffs }).facts.find(({ label }) => label === 'Who decides')?.text;
  expect(deciders({})).toBe('1 of product: pia; so far nobody yet');
  expect(deciders({ product: { selfApproval: true } })).toBe('1 of product: cleo, pia; so far nobody yet');

  const ended = { ...more, result: 'stopped', endedAt: at(90), statement: 'no copy' } as const;
  const end = look(ended, 100).find(({ kind }) => kind === 'ended');
  expect(end?.title).toBe('staging stopped');
  expect(end?.text).toContain('rollout status redis/orders/staging');
  if (end) expect(messageOf(end, about).commands).toEqual(['rollout staging show orders']);
});
