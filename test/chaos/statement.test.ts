// A stopped upgrade says where it stands: whoever is called in the night acts on it.
import { expect, test } from 'vitest';
import type { OperationStatus } from '../../model/operation.js';
import { NOTHING_LEFT, standingOf } from '../../model/standing.js';
import { untruths, type ServerNow } from '../../scripts/chaos/statement.js';

const server = (n: number, release: string | undefined, serves = false, runId = `run ${n}`): ServerNow => ({
  address: `127.0.0.1:${n}`,
  release,
  serves,
  runId,
});
const servers = [server(1, '5.0.6', true), server(2, '8.0.6'), server(3, '8.0.6', true), server(4, '5.0.6')];
const check = (statement: string, before = servers): string[] => untruths(statement, before, servers);
const NEXT = '\nTo go on where it stands: rollout start orders --to 8.0.6';

test('a true statement', () => {
  expect(
    check(
      'orders was stopped: x. 127.0.0.1:3 serves the shard.\n2 of 4 nodes run 8.0.6.\nshard-2: 127.0.0.1:4 is reverted (5.0.6).' +
        NEXT,
    ),
  ).toEqual([]);
});

test.each([
  ['another number', 'orders was stopped: x.\n1 of 4 nodes run 8.0.6.', /says 1 of 4 nodes run 8\.0\.6; 2 do/],
  [
    'nodes that are not there',
    'orders was stopped: x.\n2 of 6 nodes run 8.0.6.',
    /says there are 6 nodes; there are 4/,
  ],
  [
    'another release',
    '2 of 4 nodes run 8.0.6.\nshard-1: 127.0.0.1:2 is reverted (5.0.6).',
    /127\.0\.0\.1:2 is reverted \(5\.0\.6\); it runs 8\.0\.6/,
  ],
  [
    'a primary that is none',
    'x. 127.0.0.1:2 serves the shard on 8.0.6.\n2 of 4 nodes run 8.0.6.',
    /says 127\.0\.0\.1:2 serves; it does not/,
  ],
  ['nothing of the nodes', 'orders was stopped: something happened', /nothing of where the nodes stand/],
])('a statement that tells %s', (_, statement, what) => {
  expect(check(statement + NEXT)).toEqual([expect.stringMatching(what)]);
});

const nodes = servers.map(({ address, release = '' }, i) => ({
  ...{ address, role: 'replica', release },
  state: (['waiting', 'failed', 'upgraded', 'reverted'] as const)[i],
}));
const standing = (untouched: boolean, news: Partial<OperationStatus> = {}, now = servers): string => {
  const status = {
    ...{ deployment: 'orders', operation: 'upgrade', from: '5.0.6', to: '8.0.6', result: 'stopped' },
    ...{ progress: { upgraded: 2, nodes: 4 }, shards: [{ shard: 'shard-1', state: 'stopped', nodes }] },
    ...news,
  } as unknown as OperationStatus;
  const releases = now.flatMap(({ address, release }) => (release === undefined ? [] : [[address, release] as const]));
  return standingOf(status, 'its disk is full', untouched, { releases: new Map(releases), away: [] });
};
const isBack = { to: '5.0.6', by: 'ana', restore: true };

test.each([
  ['of an upgrade that stopped', standing(false), /rollout start orders --to 8\.0\.6$/],
  ['of one that was aborted', standing(false, { result: 'aborted' }), /rollout start orders --to 8\.0\.6$/],
  ['of one whose way back was refused', standing(false, { goingBack: { ...isBack, refused: true } }), /Or, to go on/],
  ['of one that was taken back in part', standing(false, { goingBack: isBack }), /rollout fallback orders --restore/],
  ['of a fallback that stopped', standing(false, { operation: 'fallback', to: '5.0.6' }), /rollout fallback orders --/],
  ['where nothing was touched', standing(true), /Nothing was touched\.$/],
  ['of a fallback that touched nothing', standing(true, { operation: 'fallback' }), /Nothing was touched\.$/],
])('the product’s own statement %s is true as it is, and untrue once its last line is gone', (_, statement, last) => {
  expect(statement).toMatch(last);
  expect(check(statement)).toEqual([]);
  expect(check(statement.split('\n').slice(0, -1).join('\n'))).toContain('says nothing of what to do next');
});

test('what to do next: nothing, where every node is upgraded; not a command that starts one node or takes it all back', () => {
  const all = servers.map((it) => ({ ...it, release: '8.0.6' }));
  const upgraded = nodes.map((it) => ({ ...it, release: '8.0.6', state: 'upgraded' }));
  const statement = standing(false, { shards: [{ shard: 'shard-1', nodes: upgraded }] as never }, all);
  expect(statement).toContain(`\n${NOTHING_LEFT}`);
  expect(untruths(statement, all, all)).toEqual([]);
  for (const other of [
    'The next rollout start takes it up from there, once every node answers.',
    'The standbys stay in place. To take it back: rollout fallback orders --reason "…"\nBoth versions run side by side.',
  ])
    expect(check(`2 of 4 nodes run 8.0.6.\n${other}`)).toEqual(['says nothing of what to do next']);
});

test('nothing was touched, and a node was started anew', () => {
  const before = [server(1, '5.0.6', true, 'an earlier one'), ...servers.slice(1)];
  expect(check('orders: no.\nNothing was touched.')).toEqual([]);
  expect(check('orders: no.\nNothing was touched.', before)).toEqual([
    'says nothing was touched; 127.0.0.1:1 was started anew',
  ]);
});

test('a node that is away runs nothing, whatever it last ran', () => {
  const now = servers.map((it) => (it.address.endsWith(':2') ? { ...it, release: undefined } : it));
  expect(untruths('1 of 4 nodes run 8.0.6.\nshard-1: 127.0.0.1:2 is failed (8.0.6).' + NEXT, servers, now)).toEqual([]);
});
