// Messages that are forged, lost, sent twice or to nobody; and an upgrade that is never held up by any of it.
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { SMTPServer } from 'smtp-server';
import { Webhook } from 'standardwebhooks';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { makeSigningKey, readSigningKey, signAnswer } from '../../integrations/signing-key.js';
import { until } from '../../scripts/sandbox/cluster.js';
import { Receiver, type Received } from '../../scripts/sandbox/receiver.js';
import { ApprovalsStage } from './stage/approvals-stage.js';

const secret = `whsec_${randomBytes(24).toString('base64')}`;
const webhook = new Webhook(secret);
let stage: ApprovalsStage;
let receiver: Receiver;
const mails: { from: string; to: string[]; text: string; user?: string }[] = [];
/** What the mail server says to the next mails. */
const refusals: string[] = [];
let smtp: SMTPServer;
let smtpPort: number;
let chat: string;
let running: Awaited<ReturnType<ApprovalsStage['approvals']>>;

beforeAll(async () => {
  receiver = await Receiver.start();
  smtp = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    allowInsecureAuth: true,
    onAuth: ({ username, password }, _, done) =>
      password === 'mail-password' ? done(null, { user: username }) : done(new Error('535 no')),
    onData: (stream, { envelope, user }, done) => {
      let text = '';
      stream.on('data', (piece: Buffer) => (text += piece.toString()));
      stream.on('end', () => {
        const refusal = refusals.shift();
        if (refusal !== undefined) {
          done(Object.assign(new Error(refusal), { responseCode: 451 }));
          return;
        }
        const from = envelope.mailFrom === false ? '' : envelope.mailFrom.address;
        mails.push({
          from,
          to: envelope.rcptTo.map(({ address }) => address),
          text,
          ...(user === undefined ? {} : { user: String(user) }),
        });
        done();
      });
    },
  });
  await new Promise<void>((resolve) => smtp.listen(0, '127.0.0.1', resolve));
  smtpPort = (smtp.server.address() as { port: number }).port;
  stage = await ApprovalsStage.open({
    HOOK_SECRET: secret,
    PD_KEY: 'routing-key-of-the-test',
    TEAMS_URL: `${receiver.url}/teams/secret-part`,
    MAIL_PASSWORD: 'mail-password',
  });
  chat = await makeSigningKey(join(stage.folder, 'chat'));
  running = await approvals();
});
afterEach(() => {
  receiver.answers.length = 0;
});
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
  await receiver[Symbol.asyncDispose]();
  await new Promise<void>((resolve) => smtp.close(resolve));
});

const approvals = () => stage.approvals('--listen', '127.0.0.1:0', '--key', `file:${join(stage.folder, 'chat')}`);

const at = (path: string): Received[] => receiver.received.filter((it) => it.path === path);
interface Sent {
  signer?: Webhook;
  when?: Date;
  /** In the place of what was signed. */
  sent?: string;
}
/** As another chat sends an answer. */
function post(name: string, body: object, { signer = webhook, when = new Date(), sent }: Sent = {}): Promise<Response> {
  const text = JSON.stringify(body);
  return fetch(`http://127.0.0.1:${running.port ?? 0}/hooks/${name}`, {
    method: 'POST',
    body: sent ?? text,
    headers: {
      'webhook-id': 'msg_1',
      'webhook-timestamp': String(Math.floor(when.getTime() / 1000)),
      'webhook-signature': signer.sign('msg_1', when, text),
    },
  });
}

interface Told {
  type: string;
  data: { deployment: string; run: string; title: string; question?: { approval: string; askedAt: string } };
}
const told = (path: string): Told[] => at(path).map(({ body }) => JSON.parse(body) as Told);

test('each thing is signed and told once though it is refused at first, and to its own route', async () => {
  receiver.answers.push({ status: 503 }, { status: 429, headers: { 'retry-after': '1' } }, { status: 500 });
  const { operation } = await stage.run('hooked', {
    policy: 'approvals: { start: { roles: [engineering] }, finalize: { roles: [operations] } }',
    notify: `routes:
  - { to: { kind: webhook, url: "${receiver.url}/all", secret: env:HOOK_SECRET } }
  - to: { kind: webhook, url: "${receiver.url}/operations", secret: env:HOOK_SECRET }
    events: [question]
    roles: [operations]`,
  });
  await until('start is asked', () => told('/all').some(({ data }) => data.question?.approval === 'start'));
  await operation.tell('approve', { by: 'ana' });
  await until('finalize is asked', () => told('/operations').length > 0);
  await operation.tell('approve', { by: 'ben' });
  expect(await operation.result()).toMatchObject({ result: 'completed' });
  await until('the end is told', () => told('/all').some(({ type }) => type === 'rollout.ended'));

  for (const { headers, body } of receiver.received.filter(({ path }) => path !== '/teams/secret-part'))
    expect(webhook.verify(body, headers as Record<string, string>)).toMatchObject({ data: { deployment: 'hooked' } });
  const byId = new Map(at('/all').map(({ headers, body }) => [headers['webhook-id'], (JSON.parse(body) as Told).type]));
  expect([...byId.values()].sort()).toEqual([
    ...['rollout.answer', 'rollout.answer', 'rollout.ended', 'rollout.question', 'rollout.question', 'rollout.started'],
  ]);
  // Refused three times, each by the same name.
  expect(at('/all').length + at('/operations').length).toBe(byId.size + 1 + 3);
  expect(told('/operations').map(({ data }) => data.question?.approval)).toContain('finalize');
  expect(new Set(told('/operations').map(({ data }) => data.question?.approval)).size).toBe(1);
  expect(running.warnings().filter((it) => it.includes('it is tried again')).length).toBeGreaterThan(0);
});

test('with nobody at any address, and no process at all for a while, an upgrade completes; what was missed is told later', async () => {
  const routes = (port: string): string => `routes:
  - { to: { kind: webhook, url: "http://127.0.0.1:${port}/late", secret: env:HOOK_SECRET } }
  - { to: { kind: webhook, url: "${receiver.url}/late", secret: env:NOT_THERE } }`;
  const { operation } = await stage.run('unheard', {
    policy: 'approvals: { start: { roles: [engineering] } }',
    notify: routes('1'),
  });
  await operation.waits('approval', 'start');
  for (const said of [/127\.0\.0\.1:1 can't be reached/, /env:NOT_THERE is not set/])
    await until(`it is said: ${said.source}`, () => running.warnings().some((it) => said.test(it)));
  await running.kill();
  await operation.tell('approve', { by: 'ana' });
  expect(await operation.result()).toMatchObject({ result: 'completed' });
  await stage.write('unheard', { notify: routes(new URL(receiver.url).port).replace('NOT_THERE', 'HOOK_SECRET') });
  running = await approvals();
  await until('what was missed is told', () => told('/late').some(({ type }) => type === 'rollout.ended'));
  // The question is decided: nobody is asked any more.
  expect(told('/late').map(({ type }) => type)).toEqual(['rollout.started', 'rollout.answer', 'rollout.ended']);
});

test('answers from elsewhere: forged, old, of another question or in wrong form nothing counts; a good one does, however often', async () => {
  const { operation } = await stage.run('answered', {
    policy: 'approvals: { start: { roles: [engineering], quorum: 2 } }',
    notify: 'webhookIn: { secret: env:HOOK_SECRET }',
  });
  const { status } = await operation.waits('approval', 'start');
  const asked = status.approvals[0];
  const answer = { run: status.run, approval: 'start', askedAt: asked?.askedAt, decision: 'approve', by: 'ana' };
  const send = async (body: object, { name = 'answered', ...more }: Sent & { name?: string } = {}) => {
    const response = await post(name, body, more);
    return [response.status, await response.text()] as [number, string];
  };
  const stranger = new Webhook(`whsec_${randomBytes(24).toString('base64')}`);
  expect((await send(answer, { signer: stranger }))[0]).toBe(401);
  expect((await send(answer, { when: new Date(Date.now() - 301_000) }))[0]).toBe(401);
  expect((await send(answer, { sent: JSON.stringify({ ...answer, by: 'abe' }) }))[0]).toBe(401);
  expect((await send(answer, { name: 'no-such' }))[0]).toBe(401);
  expect((await send(answer, { name: '..%2Fanswered' }))[0]).toBe(401);
  expect(await send({ ...answer, by: undefined })).toEqual([400, expect.stringContaining('by: ') as string]);
  expect(await send({ ...answer, by: 'mallory' })).toEqual([
    409,
    expect.stringContaining('mallory has no role') as string,
  ]);
  expect(await send({ ...answer, by: 'olu' })).toEqual([409, expect.stringContaining('olu has no role') as string]);
  expect(await send({ ...answer, run: '4ab3c1de-0000-4000-8000-000000000000' })).toEqual([
    409,
    expect.stringContaining('has ended') as string,
  ]);
  expect(await send({ ...answer, askedAt: '2026-11-21T10:00:00.000Z' })).toEqual([
    409,
    expect.stringContaining('it was asked anew') as string,
  ]);
  expect((await operation.read()).status.approvals[0]?.answers).toEqual([]);
  const good = [200, JSON.stringify({ done: 'start approved by ana (1 of 2)' })];
  expect(await send(answer)).toEqual(good);
  expect(await send(answer)).toEqual(good);
  expect((await send({ ...answer, by: 'abe', decision: 'reject', comment: 'no' }))[0]).toBe(200);
  expect(await operation.result()).toMatchObject({ result: 'aborted' });
});

test('a rehearsal is signed off by a webhook that says so; without that it is an upgrade’s question that is answered', async () => {
  await stage.write('hook-rehearsed', {
    notify: `webhookIn: { secret: env:HOOK_SECRET }
routes: [{ to: { kind: webhook, url: "${receiver.url}/rehearsed", secret: env:HOOK_SECRET } }]`,
  });
  stage.fake.deployWithCopy('hook-rehearsed', { approvals: { product: { roles: ['product'] } }, soak: '0s' });
  const operation = await stage.fake.start('hook-rehearsed', { startedBy: 'ana' }, 'staging');
  const { status } = await operation.waits('approval', 'product');
  await until('it is asked', () => told('/rehearsed').some(({ data }) => data.question?.approval === 'product'));
  const { data } = told('/rehearsed').find(({ type }) => type === 'rollout.question') as Told;
  expect(data).toMatchObject({ status: { operation: 'staging' }, run: status.run });
  const { approval = '', askedAt = '' } = data.question ?? {};
  const answer = { run: data.run, approval, askedAt, decision: 'approve', by: 'cleo' };
  expect((await post('hook-rehearsed', answer)).status).toBe(409);
  expect((await post('hook-rehearsed', { ...answer, operation: 'upgrade' })).status).toBe(400);
  expect(await (await post('hook-rehearsed', { ...answer, operation: 'staging' })).json()).toEqual({
    done: 'product approved by cleo (1 of 1)',
  });
  expect(await operation.result()).toMatchObject({ result: 'completed', decision: 'go' });
});

test('where answers are to be signed, a webhook’s word is not enough: it brings the person’s signature', async () => {
  const ana = await makeSigningKey(join(stage.folder, 'ana'));
  const { operation } = await stage.run('hook-signed', {
    policy: `people: { ana: { keys: ["${ana}"] } }
approvals: { signed: true, chatKeys: ["${chat}"], start: { roles: [engineering] } }`,
    notify: 'webhookIn: { secret: env:HOOK_SECRET }',
  });
  const { status } = await operation.waits('approval', 'start');
  const send = async (body: object) => (await post('hook-signed', body)).status;
  const key = await readSigningKey(`file:${join(stage.folder, 'ana')}`);
  const { by, approval, askedAt, signature } = signAnswer(status, { by: 'ana' }, 'approve', key);
  const answer = { run: status.run, decision: 'approve', by, approval, askedAt };
  expect(await send(answer)).toBe(409);
  expect(await send({ ...answer, decision: 'reject', signature })).toBe(409);
  expect(await send({ ...answer, signature })).toBe(200);
  expect(await operation.result()).toMatchObject({ result: 'completed' });
});

test('mail, PagerDuty and Teams are told what they are for: a thread of mails, an alert that is resolved, a card', async () => {
  refusals.push('451 try again later');
  const { operation } = await stage.run('others', {
    policy: 'approvals: { start: { roles: [engineering] } }',
    notify: `smtp: { host: 127.0.0.1, port: ${smtpPort}, tls: "off", username: rollout, password: env:MAIL_PASSWORD, from: "redis-rollout <rollout@example.com>" }
routes:
  - { to: { kind: email, to: [oncall@example.com, lead@example.com] } }
  - { to: { kind: pagerduty, routingKey: env:PD_KEY, url: "${receiver.url}" } }
  - { to: { kind: teams, webhook: env:TEAMS_URL }, events: [question] }`,
  });
  await until('it is asked by mail', () =>
    mails.some(({ text }) => text.includes('Subject: others: start: an answer is needed')),
  );
  await until('it is asked in Teams', () => at('/teams/secret-part').length > 0);
  await until('an alert is open', () => at('/v2/enqueue').length > 0);
  await operation.tell('approve', { by: 'ana', comment: 'fine\r\nBcc: all@example.com' });
  expect(await operation.result()).toMatchObject({ result: 'completed' });
  await until('the end comes by mail', () =>
    mails.some(({ text }) => text.includes('Subject: others: upgrade completed')),
  );

  const headerOf = (text: string, name: string): string | undefined =>
    new RegExp(`^${name}: (.*)$`, 'm').exec(text)?.[1]?.trim();
  expect(mails.every(({ to, user }) => to.length === 2 && user === 'rollout')).toBe(true);
  expect(new Set(mails.map(({ text }) => headerOf(text, 'In-Reply-To'))).size).toBe(1);
  const ids = mails.map(({ text }) => headerOf(text, 'Message-ID'));
  expect(new Set(ids).size).toBe(ids.length);
  // What somebody wrote as a comment became no header.
  expect(mails.map(({ text }) => headerOf(text.split('\r\n\r\n')[0] ?? '', 'Bcc'))).not.toContain('all@example.com');

  await until('the alert is resolved', () => at('/v2/enqueue').length >= 3);
  const alerts = at('/v2/enqueue').map(({ body }) => JSON.parse(body) as Record<string, unknown>);
  expect(alerts.map((it) => it['event_action'])).toEqual(['trigger', 'resolve', 'resolve']);
  expect(alerts[0]).toMatchObject({
    routing_key: 'routing-key-of-the-test',
    dedup_key: alerts[1]?.['dedup_key'],
    payload: { source: 'redis/others', severity: 'warning', summary: 'others: start: an answer is needed' },
  });
  const card = at('/teams/secret-part')[0]?.body ?? '';
  expect(JSON.parse(card)).toMatchObject({
    type: 'message',
    attachments: [
      { contentType: 'application/vnd.microsoft.card.adaptive', content: { type: 'AdaptiveCard', version: '1.4' } },
    ],
  });
  expect(card).toContain('Start the upgrade of others from 5.0.6 to 8.0.6?');
});

test('a mail server without encryption gets nothing unless that is said to be right', async () => {
  const { operation } = await stage.run('plain-mail', {
    policy: 'approvals: { start: { roles: [engineering] } }',
    notify: `smtp: { host: 127.0.0.1, port: ${smtpPort}, from: rollout@example.com }
routes: [{ to: { kind: email, to: [oncall@example.com] } }]`,
  });
  await operation.waits('approval', 'start');
  await until('it is said', () => running.warnings().some((it) => /did not take it: .*STARTTLS/i.test(it)));
  expect(mails.filter(({ text }) => text.includes('plain-mail'))).toEqual([]);
  await operation.tell('abort', { by: 'olu' });
  await operation.result();
});
