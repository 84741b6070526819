/** A pattern that takes other keys than KEYS does, or that takes for ever. */
import { expect, test } from 'vitest';
import { keySlot, slotOf } from '../../../redis/probe/slot.js';
import { matches, selects } from '../../../redis/restore/selection.js';
import { Sandbox } from '../../../scripts/sandbox/cluster.js';

const patterns = [
  ...[
    '*',
    'a*',
    '*a',
    'a?c',
    '?',
    '??',
    'h[ae]llo',
    'h[^e]llo',
    'h[a-c]llo',
    'h[c-a]llo',
    'h[a',
    '[',
    '[]',
    '[]a]',
    '[^]',
  ],
  ...['\\*', 'a\\', '\\?x', '[\\]]', '[a\\-z]', '**a**', 'a*b*c', '*[0-9]', 'user:?0[0-9]', '', 'a-c', '[a-]'],
];
const keys = [
  ...[
    'a',
    'b',
    'abc',
    'axc',
    'hello',
    'hallo',
    'hbllo',
    'h[a',
    '*',
    '?x',
    ']',
    '-',
    '',
    'a\\',
    '[',
    '[]',
    'aXbXc',
    'cab',
  ],
  ...['user:10', 'user:x07', 'user:200', 'a\r\nb', 'ä', 'a-c', 'z', '\\'],
];

test('takes what a server takes', async () => {
  await using server = await Sandbox.servers(1, { release: '8.0' });
  await using node = await server.connect();
  for (const key of keys) await node.call('SET', key, 1);
  for (const pattern of patterns) {
    const theirs = ((await node.call('KEYS', pattern)) as string[]).sort();
    const ours = keys.filter((key) => matches(Buffer.from(pattern), Buffer.from(key))).sort();
    expect(ours, pattern).toEqual(theirs);
  }
});

test('slots are those of the cluster, tags and all', () => {
  for (const key of [...keys, '{a}b', 'x{a}y', '{}a', 'a{}', '{a', '}{b}', '{{c}}d'])
    expect(slotOf(Buffer.from(key)), key).toBe(keySlot(key));
  const some = selects({ slots: [[0, 8191]], pattern: 'key:*' });
  const all = Array.from({ length: 1000 }, (_, i) => `key:${i}`);
  expect(all.filter((key) => some(Buffer.from(key)))).toEqual(all.filter((key) => keySlot(key) <= 8191));
});

test('many stars end soon', () => {
  expect(matches(Buffer.from('*a'.repeat(20)), Buffer.from('b'.repeat(10_000)))).toBe(false);
});
