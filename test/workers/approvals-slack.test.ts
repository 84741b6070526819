// Buttons decide about an upgrade: pressed by the wrong person, forged, replayed, too late, or told of by a Slack that is away.
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { makeSigningKey } from '../../integrations/signing-key.js';
import { until } from '../../scripts/sandbox/cluster.js';
import { SlackServer, type SlackMessageThere } from '../../scripts/sandbox/slack-server.js';
import { ApprovalsStage, people } from './stage/approvals-stage.js';

const CHANNEL = 'C0000ROLL';
let slack: SlackServer;
let stage: ApprovalsStage;
let key: string;
let running: Awaited<ReturnType<ApprovalsStage['approvals']>>;

beforeAll(async () => {
  slack = await SlackServer.start();
  stage = await ApprovalsStage.open({
    SLACK_TOKEN: slack.token,
    SLACK_APP_TOKEN: slack.appToken,
    SLACK_SECRET: slack.signingSecret,
  });
  slack.add('U00ANA', 'ana@example.com');
  slack.add('U00ABE', 'abe');
  slack.add('U00OLU', 'olu');
  slack.add('U00CLEO', 'cleo');
  slack.add('U0NOBODY', 'mallory@example.com');
  slack.add('U0GUEST', 'abe', { is_stranger: true });
  key = await makeSigningKey(join(stage.folder, 'chat.key'));
  running = await approvals();
});
afterEach(() => {
  slack.faults = {};
});
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
  await slack[Symbol.asyncDispose]();
});

const notify = (
  more = 'signingSecret: env:SLACK_SECRET',
  route = '',
): string => `temporalUi: https://temporal.example.com
slack: { token: env:SLACK_TOKEN, url: "${slack.url}", ${more} }
routes: [{ to: { kind: slack, channel: ${CHANNEL} }${route} }]`;
const anaIs = 'people: { ana: { slack: U00ANA } }';

const approvals = () => stage.approvals('--listen', '127.0.0.1:0', '--key', `file:${join(stage.folder, 'chat.key')}`);

const about = (name: string): SlackMessageThere[] => slack.messages.filter(({ text }) => text.startsWith(`${name}:`));
const questions = (name: string): SlackMessageThere[] =>
  about(name).filter(({ blocks }) => JSON.stringify(blocks).includes('Comment (goes on record)'));
const shown = (message: SlackMessageThere | undefined): string => JSON.stringify(message?.blocks);

async function asked(name: string, count = 1): Promise<SlackMessageThere> {
  await until(`${name} is asked in Slack`, () => questions(name).length >= count);
  return questions(name).at(-1) as SlackMessageThere;
}

async function post({ body, headers }: { body: string; headers: Record<string, string> }): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${running.port ?? 0}/slack/interactions`, {
    method: 'POST',
    body,
    headers,
  });
  return response.status;
}

/** Presses a button; what that person, and nobody else, is told then. */
async function press(
  message: SlackMessageThere,
  decision: 'approve' | 'reject',
  user: string,
  comment?: string,
): Promise<string> {
  const before = slack.whispers.length;
  expect(await post(slack.signed(slack.interaction(message, decision, user, comment)))).toBe(200);
  await until(`${user} is told what came of it`, () => slack.whispers.length > before);
  expect(slack.whispers.at(-1)).toMatchObject({ channel: CHANNEL, user });
  return slack.whispers.at(-1)?.text ?? '';
}

test('a question has its evidence; who may press counts, who may not is told why, and the message says what was decided', async () => {
  const { operation } = await stage.run('asked', {
    policy: `${anaIs}\napprovals: { handover: { roles: [engineering], quorum: 2 } }`,
    notify: notify(),
    shards: 2,
  });
  const message = await asked('asked');
  for (const part of [
    'Hand the primaries of asked over to 8.0.6?',
    '5.0.6 → 8.0.6; 1 of 4 nodes',
    'started by olu',
    '2 of engineering: ana, abe; so far nobody yet',
    'Writes move to an upgraded replica on 8.0.6',
    'One no is enough',
    'then it is asked anew',
    'rollout approve asked --approval handover',
    'https://temporal.example.com/namespaces/default/workflows/redis%2Fasked/',
  ])
    expect(shown(message)).toContain(part);

  expect(await press(message, 'approve', 'U0NOBODY')).toMatch(/^Refused: U0NOBODY .* is nobody of the deployment file/);
  expect(await press(message, 'approve', 'U0GUEST')).toMatch(/^Refused: .*another workspace/);
  expect(await press(message, 'approve', 'U00CLEO')).toMatch(/^Refused: cleo has the role product/);
  expect(await press(message, 'approve', 'U00ANA', 'canary <!channel> looks good')).toBe(
    'handover approved by ana (1 of 2): canary <!channel> looks good',
  );
  expect(await press(message, 'approve', 'U00ABE')).toBe('handover approved by abe (2 of 2)');
  expect(await operation.result()).toMatchObject({ result: 'completed' });
  await until('the message says what was decided', () => shown(message).includes('*approved*'));
  expect(shown(message)).toMatch(/approved by ana \(engineering\) at 20.* UTC: canary &lt;!channel&gt; looks good/);
  expect(shown(message)).toMatch(/approved by abe/);
  expect(shown(message)).not.toContain('"action_id":"approve"');

  await until('the end is told', () => about('asked').some(({ text }) => text.includes('completed, 4 of 4')));
  // One message of the run, whose thread has the rest, and one of the question.
  const top = about('asked').filter(({ thread_ts: thread }) => thread === undefined);
  expect(top.map(({ text }) => text.replace(/:.*/, ''))).toEqual(['asked', 'asked']);
  await until('the run’s message says how it stands', () => top[0]?.text.includes('completed, 4 of 4') === true);
  const threads = about('asked').filter(({ thread_ts: thread }) => thread !== undefined);
  expect(new Set(threads.map(({ thread_ts: thread }) => thread))).toEqual(new Set([top[0]?.ts]));
  expect(new Set(threads.map(({ text }) => text)).size).toBe(threads.length);
});

test('who started it, who has left the role since, and a question that has expired: none of them decides', async () => {
  const policy = 'approvals: { start: { roles: [engineering, product], expires: 5s } }';
  const roles = { ...people, engineering: ['ana', 'abe', 'olu'] };
  await stage.write('left', { policy, notify: notify(), roles });
  const fake = stage.fake.deploy('left', { policy });
  fake.deployment.policy.roles['engineering'] = roles.engineering;
  const operation = await stage.fake.start('left');
  const message = await asked('left');
  const old = structuredClone(message);
  expect(await press(message, 'approve', 'U00OLU')).toMatch(/^Refused: olu started this operation/);
  // Between the question and the click Abe changes teams; the operation knows the file as it was.
  await stage.write('left', { policy, notify: notify(), roles: { ...people, engineering: ['ana'] } });
  expect(await press(message, 'approve', 'U00ABE')).toMatch(/^Refused: .* is nobody of the deployment file/);

  await operation.until('it is asked anew', ({ approvals: all }) => all.length > 1);
  expect(await press(old, 'approve', 'U00CLEO')).toMatch(
    /^Refused: this answers 'start' as it was asked at .*: answer that$/,
  );
  await until('the first message says so', () => shown(message).includes('*expired at'));
  await operation.tell('abort', { by: 'olu' });
  await operation.result();
  expect(await press(old, 'approve', 'U00CLEO')).toMatch(/^Refused: the operation that asked this has ended/);
});

test('a rehearsal is signed off by buttons, each question by its own people; what its copy is asked is nobody’s to press', async () => {
  await stage.write('rehearsed', { policy: anaIs, notify: notify() });
  stage.fake.deployWithCopy('rehearsed', {
    approvals: { product: { roles: ['product'] }, engineering: { roles: ['engineering'], selfApproval: true } },
    soak: '0s',
  });
  const operation = await stage.fake.start('rehearsed', { startedBy: 'ana' }, 'staging');
  await operation.waits('approval', 'product');
  await operation.waits('approval', 'engineering');
  await asked('rehearsed', 2);
  const about = (name: string): SlackMessageThere =>
    questions('rehearsed').find(({ text }) => text.startsWith(`rehearsed: ${name}:`)) as SlackMessageThere;
  for (const part of [
    'May rehearsed go from 5.0.6 to 8.0.6 in production?',
    'fallback to 5.0.6: passed',
    '1 of product: cleo; so far nobody yet',
    'the rehearsal ends in go',
    'rehearsed itself was not touched',
    'rollout approve redis/rehearsed/staging --approval product',
  ])
    expect(shown(about('product'))).toContain(part);
  expect(await press(about('product'), 'approve', 'U00ANA')).toMatch(/^Refused: ana has the role engineering/);
  expect(await press(about('engineering'), 'approve', 'U00ANA')).toBe('engineering approved by ana (1 of 1)');
  expect(await press(about('product'), 'approve', 'U00CLEO', 'seen')).toBe('product approved by cleo (1 of 1): seen');
  expect(await operation.result()).toMatchObject({ result: 'completed', decision: 'go' });
  await until('the end is told', () => slack.messages.some(({ text }) => text === 'rehearsed: staging completed'));
  await until('nobody is asked any more', () => questions('rehearsed').length === 0);
  expect(slack.messages.some(({ text }) => text.includes('finalize'))).toBe(false);
});

test('forged, replayed later, changed, and sent twice: at most one answer', async () => {
  const { operation } = await stage.run('forged', {
    policy: `${anaIs}\napprovals: { start: { roles: [engineering], quorum: 2 } }`,
    notify: notify(),
  });
  const message = await asked('forged');
  const yes = slack.interaction(message, 'approve', 'U00ANA');
  const good = slack.signed(yes);
  expect(await post(slack.signed(yes, { secret: 'another' }))).toBe(401);
  expect(await post(slack.signed(yes, { at: Date.now() - 301_000 }))).toBe(401);
  expect(await post(slack.signed(yes, { at: Date.now() + 310_000 }))).toBe(401);
  expect(await post({ ...good, body: good.body.replace('U00ANA', 'U00ABE') })).toBe(401);
  expect(await post({ body: good.body, headers: { 'content-type': good.headers['content-type'] ?? '' } })).toBe(401);
  expect(await post({ ...good, body: 'x'.repeat(200_000) })).toBe(413);
  const elsewhere = {
    ...yes,
    actions: [{ type: 'button', action_id: 'approve', value: '{"deployment":"../forged"}', action_ts: '1' }],
  };
  expect(await post(slack.signed(elsewhere))).toBe(200);
  expect((await operation.read()).status.approvals[0]?.answers).toEqual([]);

  const before = slack.whispers.length;
  expect(await Promise.all([post(good), post(good), post(good)])).toEqual([200, 200, 200]);
  await operation.until('it counts', ({ approvals: [record] }) => record?.answers.length === 1);
  await until('ana is told', () => slack.whispers.length > before);
  expect(slack.whispers.slice(before).map(({ text }) => text)).toEqual(['start approved by ana (1 of 2)']);
  await operation.tell('abort', { by: 'olu' });
  await operation.result();
});

test('Slack is down, limits us, loses its answers, and we are killed meanwhile: the upgrade goes on, and each thing is told once', async () => {
  slack.faults = { down: true };
  const { operation } = await stage.run('away', {
    policy: 'approvals: { start: { roles: [engineering] } }',
    notify: notify(),
  });
  await operation.waits('approval', 'start');
  await until('it is said that Slack is away', () => running.warnings().some((it) => it.startsWith('away: Slack')));
  // It comes back, slow and strict; what it takes first it never says that it took, and then we lose our power.
  slack.faults = {
    rateLimited: { calls: 1, seconds: 1 },
    loseReplies: { method: 'chat.postMessage', calls: 2 },
    slowMs: 100,
  };
  await until('a message has arrived', () => about('away').length > 0);
  await running.kill();
  running = await approvals();
  await asked('away');
  slack.faults = {};
  // By the command line: chat isn't needed.
  expect(await operation.tell('approve', { by: 'ana' })).toEqual({ done: 'start approved by ana (1 of 1)' });
  expect(await operation.result()).toMatchObject({ result: 'completed' });
  await until('the end is told', () =>
    about('away').some(({ text, thread_ts: thread }) => thread !== undefined && text.includes('completed')),
  );
  const ids = about('away').map(({ metadata }) => metadata?.event_payload.id);
  expect(new Set(ids).size).toBe(ids.length);
});

test('where answers have to be signed, the key of chat signs for whoever pressed, and the record says so', async () => {
  const { operation } = await stage.run('chat-signed', {
    policy: `${anaIs}\napprovals: { signed: true, chatKeys: ["${key}"], start: { roles: [engineering] } }`,
    notify: notify(),
  });
  const message = await asked('chat-signed');
  expect(await operation.tell('approve', { by: 'ana' })).toHaveProperty('refused');
  expect(await press(message, 'approve', 'U00ANA', 'seen')).toBe('start approved by ana (1 of 1): seen');
  expect(await operation.result()).toMatchObject({ result: 'completed' });
  const [record] = (await operation.read()).status.approvals;
  expect(record?.answers).toMatchObject([{ by: 'ana', signed: { key, recognisedBy: 'chat' } }]);
});

test('by Socket Mode: a dropped connection is made again, and a press that is sent twice counts once', async () => {
  const { operation } = await stage.run('socket', {
    policy: `${anaIs}\napprovals: { start: { roles: [engineering], quorum: 2 } }`,
    notify: notify('appToken: env:SLACK_APP_TOKEN'),
  });
  const message = await asked('socket');
  await until('it has connected', () => slack.connections > 0);
  slack.dropConnections();
  const yes = slack.interaction(message, 'approve', 'U00ANA');
  await slack.deliver(yes);
  await slack.deliver(yes);
  await operation.until('it counts', ({ approvals: [record] }) => record?.answers.length === 1);
  await slack.deliver(slack.interaction(message, 'reject', 'U00ABE', 'not today'));
  expect(await operation.result()).toMatchObject({ result: 'aborted' });
  await until('the message says so', () => shown(message).includes('rejected by abe (engineering)'));
});
