// A mask that lets something be read, makes one of two, or moves a key to another slot.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Mask } from '../../../redis/mask/mask.js';
import { isNumber } from '../../../redis/mask/numbers.js';
import { slotOf } from '../../../redis/probe/slot.js';
import type { Elements } from '../../../redis/rdb/elements.js';

const parts = { values: true, keys: true, functions: false, except: ['config:*'] };
const secret = Buffer.alloc(32, 7);
const mask = new Mask(secret, parts);
const bytes = (options: { minLength?: number; maxLength: number }): fc.Arbitrary<Buffer> =>
  fc.uint8Array(options).map((it) => Buffer.from(it));
const distinct = (all: readonly Buffer[]): number => new Set(all.map((it) => it.toString('hex'))).size;
const maskedPart = (part: Elements): Elements =>
  mask.entry({ kind: 'key', database: 0, key: Buffer.from('k:1'), type: 'hash', part, first: true, last: true }).part;

test('all strings of one and two bytes stay apart, as long as they were; numbers stay numbers, and nothing becomes one', () => {
  const all = Array.from({ length: 256 + 65_536 }, (_, i) =>
    i < 256 ? Buffer.from([i]) : Buffer.from([(i - 256) >> 8, i & 0xff]),
  );
  const masked = all.map((it) => mask.value(it));
  expect(distinct(masked)).toBe(all.length);
  expect(masked.every((it, i) => it.length === all[i]?.length)).toBe(true);
  expect(masked.filter((it) => isNumber(it)).length).toBe(all.filter((it) => isNumber(it)).length);
  expect(masked.every((it, i) => isNumber(it) === isNumber(all[i] ?? it))).toBe(true);
  expect(masked.filter((it, i) => it.equals(all[i] ?? it)).length).toBeLessThan(all.length / 100);
});

test('whichever elements there are: as many, as long, the same for the same, others with another secret', () => {
  const other = new Mask(Buffer.alloc(32, 8), parts);
  const again = new Mask(secret, parts);
  fc.assert(
    fc.property(fc.array(bytes({ maxLength: 60 }), { maxLength: 40 }), (elements) => {
      const masked = elements.map((it) => mask.value(it));
      expect(distinct(masked)).toBe(distinct(elements));
      expect(masked.map(({ length }) => length)).toEqual(elements.map(({ length }) => length));
      expect(masked).toEqual(elements.map((it) => again.value(it)));
      for (const [i, it] of elements.entries())
        if (it.length >= 16) {
          expect(masked[i]?.equals(it)).toBe(false);
          expect(masked[i]?.equals(other.value(it))).toBe(false);
        }
    }),
    { numRuns: 300 },
  );
});

const widths: [bigint, bigint][] = [
  [-128n, 127n],
  [-4096n, 4095n],
  [-32_768n, 32_767n],
  [-8_388_608n, 8_388_607n],
  [-2_147_483_648n, 2_147_483_647n],
  [-(2n ** 63n), 2n ** 63n - 1n],
];
const widthOf = (number: bigint): number => widths.findIndex(([least, most]) => number >= least && number <= most);

test('numbers keep their digits and the bits that servers need for them, and stay apart', () => {
  const numbers = [0, 9, 12, 13, 99, 127, 128, 4095, 4096, 9999, 32_767, 32_768, 8_388_607, 8_388_608]
    .flatMap((it) => [it, -it])
    .map(BigInt)
    .concat([2n ** 31n - 1n, 2n ** 31n, -(2n ** 31n), -(2n ** 31n) - 1n, 2n ** 63n - 1n, -(2n ** 63n)]);
  const held = (number: bigint): void => {
    const masked = mask.value(Buffer.from(String(number))).toString('latin1');
    expect(masked).toMatch(/^(0|-?[1-9]\d*)$/);
    expect([masked.length, widthOf(BigInt(masked))]).toEqual([String(number).length, widthOf(number)]);
  };
  numbers.forEach(held);
  fc.assert(fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), held));
  const all = Array.from({ length: 40_000 }, (_, i) => Buffer.from(String(i - 20_000)));
  expect(distinct(all.map((it) => mask.value(it)))).toBe(all.length);
  fc.assert(
    fc.property(fc.integer({ min: -99_999, max: 99_999 }), fc.integer({ min: 0, max: 999 }), (whole, part) => {
      const text = `${whole}.${String(part).padStart(3, '0')}`;
      const masked = mask.value(Buffer.from(text)).toString('latin1');
      expect(masked).toMatch(/^-?(0|[1-9]\d*)\.\d{3}$/);
      expect(masked).toHaveLength(text.length);
    }),
  );
});

const keyLike = fc.oneof(
  bytes({ maxLength: 40 }),
  fc
    .tuple(fc.string({ maxLength: 20 }), fc.string({ maxLength: 30 }), fc.string({ maxLength: 20 }))
    .map(([a, b, c]) => Buffer.from(`${a}{${b}}${c}`)),
  fc.string({ unit: fc.constantFrom('{', '}', 'a', '0', ':'), maxLength: 24 }).map((it) => Buffer.from(it)),
);

test('keys keep their length and slot, with the same tag for the same; none is taken for one that is spared', () => {
  fc.assert(
    fc.property(fc.uniqueArray(keyLike, { selector: (it) => it.toString('hex'), maxLength: 60 }), (keys) => {
      const masked = keys.map((it) => mask.key(it));
      expect(distinct(masked)).toBe(keys.length);
      expect(masked.map((it) => [it.length, slotOf(it)])).toEqual(keys.map((it) => [it.length, slotOf(it)]));
    }),
    { numRuns: 500 },
  );
  const [a, b] = ['cart:{user-17}:items', 'stock:{user-17}'].map((it) => mask.key(Buffer.from(it)).toString('latin1'));
  expect(/\{(.*?)\}/s.exec(a ?? '')?.[1]).toBe(/\{(.*?)\}/s.exec(b ?? '')?.[1]);
  expect(a).not.toContain('user-17');
  expect(mask.key(Buffer.from('config:limits')).toString()).toBe('config:limits');
});

test('all keys of a slot’s three bytes stay apart', () => {
  const keys = Array.from({ length: 70_000 }, (_, i) => Buffer.from([i & 0xff, (i >> 8) & 0xff, (i >> 16) & 0xff]));
  const masked = keys.map((it) => mask.key(it));
  expect(distinct(masked)).toBe(keys.length);
  expect(masked.every((it, i) => slotOf(it) === slotOf(keys[i] ?? it))).toBe(true);
});

test('what holds for what is spared: nothing of it is masked; of streams ids and order stay, groups go with their consumers', () => {
  const spared: Elements = { type: 'hash', elements: [Buffer.from('limit'), Buffer.from('100')] };
  const about = { kind: 'key', database: 0, type: 'hash', first: true, last: true } as const;
  expect(mask.entry({ ...about, key: Buffer.from('config:x'), part: spared }).part).toEqual(spared);
  const group = Buffer.from('readers');
  const consumer = maskedPart({ type: 'stream', piece: 'consumer', group, consumer: Buffer.from('ana'), pending: [] });
  const named = maskedPart({ type: 'stream', piece: 'group', group: { name: group, lastId: '5-1' } });
  expect(consumer).toMatchObject({ group: (named as { group: { name: Buffer } }).group.name });
  const entries = [{ id: '5-1', fields: [Buffer.from('mail'), Buffer.from('ana@example.org')] }];
  const masked = maskedPart({ type: 'stream', piece: 'entries', entries });
  expect(masked).toMatchObject({ entries: [{ id: '5-1' }] });
  expect(JSON.stringify(masked)).not.toContain(JSON.stringify(entries[0]?.fields[1]));
  const field = Buffer.from('session');
  const hash = maskedPart({ type: 'hash', elements: [field, Buffer.from('x')], expiries: [{ field, at: 7 }] });
  const { elements, expiries } = hash as { elements: Buffer[]; expiries: { field: Buffer; at: number }[] };
  expect(expiries).toEqual([{ field: elements[0], at: 7 }]);
});
