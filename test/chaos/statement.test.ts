// A stopped upgrade says where it stands: whoever is called in the night acts on it.
import { expect, test } from 'vitest';
import { untruths, type ServerNow } from '../../scripts/chaos/statement.js';

const server = (n: number, release: string | undefined, serves = false, runId = `run ${n}`): ServerNow => ({
  address: `127.0.0.1:${n}`,
  release,
  serves,
  runId,
});
const servers = [server(1, '5.0.6', true), server(2, '8.0.6'), server(3, '8.0.6', true), server(4, '5.0.6')];
const check = (statement: string, before = servers): string[] => untruths(statement, before, servers);

test('a true statement', () => {
  expect(
    check(
      'orders was stopped: x. 127.0.0.1:3 serves the shard.\n2 of 4 nodes run 8.0.6.\nshard-2: 127.0.0.1:4 is reverted (5.0.6).',
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
  expect(check(statement).join('\n')).toMatch(what);
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
  expect(untruths('1 of 4 nodes run 8.0.6.\nshard-1: 127.0.0.1:2 is failed (8.0.6).', servers, now)).toEqual([]);
});
