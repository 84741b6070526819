// What a person would have seen otherwise: a node that goes down in the middle of the day.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TimelineEntry } from '../../model/operation.js';
import { weekdays } from '../../model/windows.js';
import { FakeStage } from './stage/fake-stage.js';

let stage: FakeStage;
let skipping: FakeStage;
beforeAll(async () => {
  [stage, skipping] = await Promise.all([FakeStage.open(), FakeStage.open({ timeSkipping: true })]);
});
afterAll(() => Promise.all([stage[Symbol.asyncDispose](), skipping[Symbol.asyncDispose]()]));

const some = (text: string): string => expect.stringContaining(text) as string;
const inBerlin = (at: string | number): string =>
  new Date(at).toLocaleString('en-GB', {
    timeZone: 'Europe/Berlin',
    weekday: 'short',
    hour: '2-digit',
    hourCycle: 'h23',
  });
/** The day of the week in so many days, in Berlin, whatever the day of this run: a window of it is closed now. */
const dayIn = (days: number): string =>
  inBerlin(Date.now() + days * 86_400_000)
    .slice(0, 3)
    .toLowerCase();

test('every node and every handover begins inside, what no longer fits waits for the next, and soaks go on', async () => {
  // The canary is watched until 22:08; the handover would need five minutes of the two that are left.
  const { operation, fake } = await skipping.run('nights', {
    shards: 2,
    policy: `canarySoak: 8m
settle: 5m
soak: 10m
windows: [{ days: [${dayIn(2)}, ${dayIn(4)}], from: '22:00', to: '22:10', timezone: Europe/Berlin }]`,
  });
  expect(await operation.result()).toMatchObject({ result: 'completed' });
  expect(fake.releases()).toEqual(Array.from({ length: 4 }, () => '8.0.6'));

  const { timeline, status } = await operation.read();
  const begun = timeline.filter(({ kind, text }) => kind === 'handover' || text === 'isolate');
  const [first, ...others] = [...new Set(begun.map(({ at }) => inBerlin(at).toLowerCase()))];
  expect([first, ...others]).toEqual([`${dayIn(2)}, 22`, `${dayIn(4)}, 22`].map((it) => some(it)));
  expect(begun).toHaveLength(4 + 2);
  expect(timeline.filter(isOfWindow).map(({ text }) => text)).toEqual(
    expect.arrayContaining([
      some('window: wait: outside'),
      some('window passes now'),
      some('window: wait: the maintenance window closes'),
    ]),
  );
  expect(status.gates.filter(({ gate }) => gate === 'window').every(({ verdict }) => verdict.state === 'pass')).toBe(
    true,
  );
}, 600_000);

test('a freeze takes the window away that lies in it: the handover waits for the one after, and says for what', async () => {
  // Whose clock nobody has moved yet.
  await using fresh = await FakeStage.open({ timeSkipping: true });
  const frozen = new Date(Date.now() + 4 * 86_400_000).toLocaleDateString('sv-SE', { timeZone: 'Europe/Berlin' });
  const { operation } = await fresh.run('frozen', {
    policy: `canarySoak: 8m
settle: 5m
windows: [{ days: [${dayIn(2)}, ${dayIn(4)}, ${dayIn(6)}], from: '12:00', to: '12:10', timezone: Europe/Berlin }]
freeze: [{ from: ${frozen}, timezone: Europe/Berlin, reason: inventory }]`,
  });
  expect(await operation.result()).toMatchObject({ result: 'completed' });
  const { timeline } = await operation.read();
  const begun = timeline.filter(({ kind, text }) => kind === 'handover' || text === 'isolate');
  expect([...new Set(begun.map(({ at }) => inBerlin(at).toLowerCase()))]).toEqual([
    some(`${dayIn(2)}, 12`),
    some(`${dayIn(6)}, 12`),
  ]);
}, 600_000);

const isOfWindow = ({ kind, text }: TimelineEntry): boolean => kind === 'gate' && text.startsWith('window');

test('a closed window is shown with its reason and when it opens, and may be overridden by name', async () => {
  const { fake, operation } = await stage.run('closed', {
    policy: `windows: [{ days: [${dayIn(3)}], from: '02:00', to: '04:00', timezone: UTC }]`,
  });
  const { status } = await operation.waits('gate', 'window');
  expect(status.waiting).toMatchObject([
    {
      reason: 'before shard-1 replica 10.0.1.1:6379: outside of the maintenance windows',
      since: some('Z'),
      clears: some('the window opens 20'),
      command: 'rollout override closed --gate window --shard shard-1 --reason "…"',
    },
  ]);
  expect(fake.done.filter((it) => it.startsWith('isolate'))).toEqual([]);
  // Once for this node; the handover is a question of its own.
  await operation.tell('override', { by: 'ana', gate: 'window', reason: 'the site is down anyway' });
  await operation.until('the handover waits', ({ waiting }) =>
    waiting.some(({ reason }) => reason.includes('before the handover')),
  );
  expect(fake.releases()).toEqual(['5.0.6', '8.0.6']);
  expect(fake.primaries()).toEqual(['10.0.1.0:6379']);
  await operation.tell('override', { by: 'ben', gate: 'window', reason: 'and this' });
  expect(await operation.result()).toMatchObject({ result: 'completed' });
  const { gates } = (await operation.read()).status;
  expect(gates.filter((it) => it.gate === 'window').map(({ overriddenBy }) => overriddenBy?.by)).toEqual([
    'ana',
    'ben',
  ]);
});

test('a window that closes while a node is in hand: the node comes back first, and nothing more is begun', async () => {
  const fake = stage.deploy('closes', { shards: 2 });
  const held = fake.hold('assess shard-1');
  const release = fake.hold('swapVersion 10.0.1.1:6379');
  const operation = await stage.start('closes');
  await operation.until('the shard begins', () => fake.begun.has('assess shard-1'));
  const time = (at: number): string => new Date(at).toISOString().slice(11, 19);
  const closes = Date.now() + 20_000;
  fake.deployment.policy.windows = [
    { days: [...weekdays], from: time(closes - 3_600_000), to: time(closes), timezone: 'UTC' },
  ];
  held();
  await operation.until('a node is in hand', () => fake.begun.has('swapVersion 10.0.1.1:6379'));
  await expect.poll(() => Date.now() > closes, { timeout: 30_000 }).toBe(true);
  release();
  const { status } = await operation.waits('gate', 'window');
  expect(status.waiting).toMatchObject([
    { reason: 'before the handover of shard-1: outside of the maintenance windows' },
  ]);
  expect(fake.isolated()).toEqual([]);
  expect(fake.releases()).toEqual(['5.0.6', '8.0.6', '5.0.6', '5.0.6']);
  await operation.tell('abort', { by: 'ana', reason: 'next week' });
  expect(await operation.result()).toMatchObject({ result: 'aborted', statement: some('1 of 4 nodes run 8.0.6') });
}, 600_000);

test('beside a closed window other gates are shown too, and an opening that is too short for a step is said', async () => {
  const { fake, operation } = await stage.run('too-short', {
    policy: `settle: 3h\nwindows: [{ days: [${weekdays.join(', ')}], from: '00:00', to: '24:00', timezone: UTC }]`,
  });
  expect(await operation.result()).toMatchObject({ result: 'completed' });
  expect(fake.done).toContain('handOver shard-1');
  const short = await stage.run('far-too-short', {
    policy: `settle: 3h\nwindows: [{ days: [${dayIn(2)}], from: '02:00', to: '04:00', timezone: UTC }]`,
  });
  short.fake.verdicts.set('disk shard-1', { state: 'fail', reason: 'no room', clears: 'there is room' });
  await short.operation.until(
    'both block',
    ({ waiting }) =>
      waiting
        .map(({ name }) => name)
        .sort()
        .join() === 'disk,window',
  );
  short.fake.verdicts.clear();
  await short.operation.until(
    'only the window blocks',
    ({ waiting }) => waiting.map(({ name }) => name).join() === 'window',
  );
  await short.operation.tell('override', { by: 'ana', gate: 'window', reason: 'now' });
  const { status } = await short.operation.until('the handover fits nowhere', ({ waiting }) =>
    waiting.some(({ reason }) => reason.includes('the longest maintenance window has 2 h')),
  );
  expect(status.waiting[0]?.clears).toContain('policy.windows');
  await short.operation.tell('abort', { by: 'ana' });
  expect(await short.operation.result()).toMatchObject({ result: 'aborted' });
});
