// What an upgrade leaves otherwise than it found it must be seen.
import { expect, test } from 'vitest';
import { leftOver, type NodeAfterwards } from '../../scripts/chaos/afterwards.js';
import type { NodeState } from '../../scripts/sandbox/node-states.js';

const before: NodeState = {
  address: '127.0.0.1:1',
  release: '5.0.6',
  role: 'master',
  pid: '10',
  runId: 'a',
  clusterState: 'ok',
  running: { 'cluster-slave-no-failover': 'no', save: '900 1', 'repl-backlog-size': '1048576' },
  acl: [],
  left: [],
};
const running = { 'cluster-replica-no-failover': 'no', save: '900 1', 'repl-backlog-size': '1048576' };
const now: NodeState = { ...before, release: '8.0.6', runId: 'b', running };
const clean: NodeAfterwards = {
  now,
  before,
  kept: ['documents', 'started.json', 'lock'],
  processes: 1,
  finalized: true,
};

const found = (it: Partial<NodeAfterwards>): string[] =>
  leftOver({ ...clean, ...it }, '8.0', '').map(({ invariant, what }) => `${invariant}: ${what}`);

test('a node that is as it was, on the new version', () => {
  expect(found({})).toEqual([]);
});

test('how it was before is kept for the way back where the upgrade ended after its last node', () => {
  expect(found({ finalized: false, now: { ...now, left: ['origin'] } })).toEqual([]);
  expect(found({ finalized: false, now: { ...now, left: ['before'] } })).toEqual(['left behind: before']);
});

test.each<[string, Partial<NodeAfterwards>, RegExp]>([
  ['still the old version', { now: { ...now, release: '5.0.6' } }, /^not upgraded: runs 5\.0\.6$/],
  ['an unhealthy view', { now: { ...now, clusterState: 'fail' } }, /^unhealthy afterwards: cluster_state:fail$/],
  [
    'another setting',
    { now: { ...now, running: { ...running, save: '' } } },
    /^different configuration: save was 900 1, is $/,
  ],
  [
    'still kept from being promoted',
    { now: { ...now, running: { ...running, 'cluster-replica-no-failover': 'yes' } } },
    /^different configuration: no was its protection, is yes$/,
  ],
  ['how it was before, kept when all is final', { now: { ...now, left: ['origin'] } }, /^left behind: origin$/],
  ['a note of the upgrade', { now: { ...now, left: ['before'] } }, /^left behind: before$/],
  ['a snapshot set aside', { kept: ['before-swap', 'kept-1'] }, /^left behind: before-swap$/],
  ['half a copy', { kept: ['staging-1'] }, /^left behind: staging-1$/],
  ['a second process', { processes: 2 }, /^left behind: 2 processes/],
  ['no process', { processes: 0 }, /^left behind: 0 processes/],
])('%s', (_, state, what) => {
  expect(found(state)[0]).toMatch(what);
});
