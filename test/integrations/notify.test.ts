// What somebody wrote becomes a mention, a link or a button; a message that Slack would not take; a signature that is almost right.
import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Outgoing } from '../../integrations/notify/channel.js';
import { retryAfter } from '../../integrations/notify/post-json.js';
import { blocksOf } from '../../integrations/notify/slack-blocks.js';
import { isFromSlack, pressedIn } from '../../integrations/notify/slack-interaction.js';
import { cardOf } from '../../integrations/notify/teams.js';
import { blockProblem } from '../../scripts/sandbox/slack-block-rules.js';

const text = fc.string({ unit: 'grapheme', maxLength: 5000 });
const long = fc.array(text, { maxLength: 4 }).map((all) => all.join(' '));

const outgoing = fc
  .record({
    title: long,
    text: long,
    label: fc.string({ minLength: 1, maxLength: 30 }),
    fact: long,
    yes: long,
    no: long,
    command: long,
    comment: long,
  })
  .map((it): Outgoing => {
    const question = {
      ...{ approval: 'handover:shard-1', question: it.text, roles: ['engineering'], quorum: 1, state: 'open' as const },
      ...{ askedAt: '2026-11-21T10:00:00.000Z', expiresAt: '2026-11-22T10:00:00.000Z' },
      answers: [
        {
          by: 'ana',
          role: 'engineering',
          decision: 'approve' as const,
          at: '2026-11-21T11:00:00.000Z',
          comment: it.comment,
        },
      ],
    };
    return {
      messageId: 'msg_1',
      run: 'run-1',
      event: {
        id: 'q',
        kind: 'question',
        at: question.askedAt,
        title: it.title,
        text: it.text,
        urgent: true,
        question,
      },
      message: {
        title: `orders: ${it.title}`,
        text: it.text,
        facts: Array.from({ length: 12 }, () => ({ label: it.label, text: it.fact })),
        consequences: { yes: it.yes === '' ? '-' : it.yes, no: it.no === '' ? '-' : it.no },
        links: [{ label: 'Temporal', url: 'https://temporal.example.com/x' }],
        commands: [it.command],
      },
      status: { deployment: 'orders' } as Outgoing['status'],
    };
  });

test('Slack takes every message, open and decided, with and without buttons, however long and odd what is in it', () => {
  fc.assert(
    fc.property(outgoing, fc.boolean(), fc.boolean(), (it, buttons, decided) => {
      const question = it.event.question && {
        ...it.event.question,
        ...(decided ? { state: 'approved' as const } : {}),
      };
      const event = question ? { ...it.event, question } : it.event;
      expect(blockProblem(blocksOf({ ...it, event }, { buttons }))).toBeUndefined();
    }),
    { numRuns: 60 },
  );
});

test('what people write mentions nobody and links nowhere, in Slack and in Teams', () => {
  const [base] = fc.sample(outgoing, { numRuns: 1, seed: 7 });
  if (!base) throw new Error('no sample');
  const words = 'look <!channel> <https://evil.example.com|here> & [here](https://evil.example.com)';
  const message = { ...base.message, text: words, facts: [{ label: 'Comment', text: words }], commands: [words] };
  const slack = JSON.stringify(blocksOf({ ...base, message }, { buttons: true }));
  expect(slack).not.toMatch(/<!channel>|<https:\/\/evil/);
  expect(slack).toContain('&lt;!channel&gt;');
  expect(JSON.stringify(cardOf(message))).not.toContain('[here](https');
});

test('a button says which question it answers, and nothing else is taken for one', () => {
  const [it] = fc.sample(outgoing, { numRuns: 1, seed: 3 });
  if (!it) throw new Error('no sample');
  const buttons = blocksOf(it, { buttons: true }).flatMap((block) => (block.type === 'actions' ? block.elements : []));
  const [approve] = buttons;
  if (approve?.type !== 'button') throw new Error('no button');
  const payload = (action: object, type = 'block_actions'): object => ({
    ...{ type, user: { id: 'U1' }, channel: { id: 'C1' }, actions: [{ action_ts: '1.0', ...action }] },
    state: { values: { comment: { comment: { value: '  fine ' } } } },
  });
  const { action_id, value } = approve;
  expect(pressedIn(payload({ action_id, value }))).toMatchObject({
    ...{ deployment: 'orders', run: 'run-1', approval: 'handover:shard-1', askedAt: '2026-11-21T10:00:00.000Z' },
    ...{ decision: 'approve', comment: 'fine', user: 'U1', channel: 'C1' },
  });
  for (const none of [
    payload({ action_id: 'link', value }),
    payload({ action_id, value: '{}' }),
    payload({ action_id, value: 'approve' }),
    payload({ action_id }),
    payload({ action_id, value }, 'view_submission'),
    {},
    'approve',
    undefined,
  ])
    expect(pressedIn(none)).toBeUndefined();
});

test('Slack’s signature is of the body and the time, to the byte and within five minutes', () => {
  const now = Date.parse('2026-11-21T10:00:00Z');
  const stamp = (seconds: number): string => String(Math.floor(now / 1000) + seconds);
  const sign = (body: string, timestamp: string): string =>
    `v0=${createHmac('sha256', 'secret').update(`v0:${timestamp}:${body}`).digest('hex')}`;
  const judge = (seconds: number, body = 'payload=1'): boolean =>
    isFromSlack('secret', body, { timestamp: stamp(seconds), signature: sign('payload=1', stamp(seconds)) }, now);
  expect([-300, 0, 300].map((it) => judge(it))).toEqual([true, true, true]);
  expect([-301, 301].map((it) => judge(it))).toEqual([false, false]);
  expect(judge(0, 'payload=2')).toBe(false);
  const good = { timestamp: stamp(0), signature: sign('payload=1', stamp(0)) };
  for (const bad of [
    { ...good, signature: undefined },
    { ...good, timestamp: undefined },
    { ...good, signature: '' },
    { ...good, signature: good.signature.slice(0, -1) },
    { ...good, signature: good.signature.toUpperCase() },
    { ...good, timestamp: `${good.timestamp}.0` },
    { ...good, timestamp: 'now' },
  ])
    expect(isFromSlack('secret', 'payload=1', bad, now), JSON.stringify(bad)).toBe(false);
});

test('how long another side wants us to wait is taken in both of its forms', () => {
  const now = Date.parse('2026-11-21T10:00:00Z');
  expect(retryAfter('120', now)).toBe(120_000);
  expect(retryAfter('Sat, 21 Nov 2026 10:02:00 GMT', now)).toBe(120_000);
  expect(retryAfter('Sat, 21 Nov 2026 09:00:00 GMT', now)).toBe(0);
  expect([retryAfter(null, now), retryAfter('', now), retryAfter('soon', now)]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});
