import { expect, test } from 'vitest';
import { assumedShape, isRead, loadShape, mixOf } from '../../../model/load-shape.js';

const problems = (change: object): string[] =>
  loadShape
    .safeParse({ ...assumedShape, ...change })
    .error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) ?? [];

test('the assumed shape is one', () => expect(problems({})).toEqual([]));

test.each([
  [
    'shares that lack half',
    { commands: [{ name: 'get', share: 0.5 }] },
    ['commands: expected shares that make 1 together'],
  ],
  [
    'sizes out of order',
    {
      valueSizes: [
        { upTo: 100, share: 0.5 },
        { upTo: 10, share: 0.5 },
      ],
    },
    ['valueSizes: expected sizes in ascending order'],
  ],
  [
    'a pattern of one key',
    { keys: { ...assumedShape.keys, pattern: 'cart' } },
    ['keys.pattern: expected a pattern with one *, in the place of the number, for example cart:*'],
  ],
])('%s are refused by the field', (_, change, expected) => expect(problems(change)).toEqual(expected));

test('shares that rounding has left short are taken', () =>
  expect(
    problems({
      commands: [
        { name: 'get', share: 0.333 },
        { name: 'set', share: 0.333 },
        { name: 'ttl', share: 0.333 },
      ],
    }),
  ).toEqual([]));

test('what can’t be played is replaced by others of its kind, so that the share of reads holds', () => {
  const { mix, replaced } = mixOf({
    commands: [
      { name: 'get', share: 0.3 },
      { name: 'ttl', share: 0.1 },
      { name: 'set', share: 0.2 },
      { name: 'evalsha', share: 0.4 },
    ],
    readShare: 0.4,
  });
  const reads = mix.filter(({ name }) => isRead(name)).reduce((sum, { share }) => sum + share, 0);
  expect(reads).toBeCloseTo(0.4);
  expect(mix.find(({ name }) => name === 'get')?.share).toBeCloseTo(0.3);
  expect(mix.find(({ name }) => name === 'set')?.share).toBeCloseTo(0.6);
  expect(replaced).toEqual([{ name: 'evalsha', share: 0.4 }]);
});

test('where no read can be played, GET stands for all of them', () =>
  expect(mixOf({ commands: [{ name: 'eval', share: 1 }], readShare: 0.75 }).mix).toEqual([
    { name: 'get', share: 0.75 },
    { name: 'set', share: 0.25 },
  ]));
