import { expect, test } from 'vitest';
import { implausible } from '../../../redis/rdb/plausible.js';

const answer = { replid: 'a'.repeat(40), offset: 1000 };
const info = (keys: number, expires: number, offset: number, replid = answer.replid): Record<string, string> => ({
  master_replid: replid,
  master_repl_offset: String(offset),
  db0: `keys=${keys},expires=${expires},avg_ttl=0`,
  db3: 'keys=10,expires=0,avg_ttl=0,subexpiry=0',
});

test.each([
  ['the same number', { keys: 110, expires: 0 }, info(100, 0, 1000)],
  ['keys that have expired since', { keys: 110, expires: 30 }, info(70, 0, 1000)],
  ['keys on the replica that its primary has yet to expire', { keys: 90, expires: 0 }, info(100, 20, 1000)],
  ['keys written since', { keys: 110, expires: 0 }, info(200, 0, 1700)],
  ['another history since a failover', { keys: 0, expires: 0 }, info(1_000_000, 0, 5, 'b'.repeat(40))],
])('plausible: %s', (_, summary, after) => {
  expect(implausible(summary, answer, after)).toBeUndefined();
});

test.each([
  ['an empty snapshot of a full node', { keys: 0, expires: 0 }, info(100_000, 0, 1000)],
  ['a full snapshot of a node that is empty now', { keys: 100_000, expires: 0 }, { ...info(0, 0, 1014), db3: '' }],
  ['more keys missing than could have been written', { keys: 110, expires: 0 }, info(202, 0, 1630)],
])('implausible: %s', (_, summary, after) => {
  expect(implausible(summary, answer, after)).toMatch(/^has \d+ keys and the node \d+; .* explain \d+ at most$/);
});
