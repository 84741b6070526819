// What a failed backup left is paid for as long as it lies there; and what looks like it may be a backup that is being taken.
import { expect, test } from 'vitest';
import { LEFT_MS, leftoversOf } from '../../../model/leftovers.js';

const NOW = Date.parse('2026-11-30T03:00:00Z');
const OLD = NOW - LEFT_MS - 1;
const id = (n: number): string => `2026112${n}T010203Z-0000000${n}`;
const object = (n: number, name: string, modifiedAt = OLD) => ({
  ...{ object: `orders/${id(n)}/${name}`, bytes: 10, modifiedAt },
});
const begun = (n: number, name: string, begunAt = OLD) => ({ object: `orders/${id(n)}/${name}`, id: name, begunAt });

test('objects without a manifest, and uploads that nobody ends', () => {
  const left = leftoversOf(
    'orders',
    {
      objects: [
        ...[object(1, 'shard-1.rdb.gz.sealed'), object(1, 'shard-2.rdb.gz.sealed')],
        ...[object(2, 'shard-1.rdb.gz.sealed'), object(2, 'manifest.json')],
        object(3, 'verdict.json'),
      ],
      unfinished: [begun(2, 'shard-1.rdb.gz.sealed'), begun(4, 'shard-1.rdb.gz.sealed')],
    },
    NOW,
  );
  expect(
    left.map(({ backup, objects, unfinished, bytes }) => [backup, objects.length, unfinished.length, bytes]),
  ).toEqual([
    [id(1), 2, 0, 20],
    [id(2), 0, 1, 0],
    [id(3), 1, 0, 10],
    [id(4), 0, 1, 0],
  ]);
});

test('a backup that goes on for days is none: it begins another upload at least once a day', () => {
  const all = {
    objects: [object(1, 'shard-1.rdb.gz.sealed')],
    unfinished: [begun(1, 'shard-2.rdb.gz.sealed', NOW - 23 * 3_600_000)],
  };
  expect(leftoversOf('orders', all, NOW)).toEqual([]);
  expect(leftoversOf('orders', { ...all, unfinished: [] }, NOW)).toHaveLength(1);
});

test('whatever is not below a backup’s name is somebody else’s', () => {
  const of = (name: string) => ({ object: name, bytes: 1, modifiedAt: OLD });
  const objects = ['orders/archive/shard-1/x', `carts/${id(1)}/shard-1`, `orders/${id(1)}`, 'orders/notes.txt'].map(of);
  expect(leftoversOf('orders', { objects, unfinished: [] }, NOW)).toEqual([]);
});
