import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  formatDirective,
  parseConfiguration,
  quoteArgument,
  splitArguments,
} from '../../../model/configuration/syntax.js';

const argument = fc.string({ unit: 'binary', maxLength: 30 });

test('any arguments that are written are read back as they were', () => {
  fc.assert(
    fc.property(fc.array(argument, { minLength: 1 }), (args) => {
      const line = formatDirective('directive', args);
      expect(line).not.toMatch(/[\r\n]/);
      expect(parseConfiguration(line)).toEqual([{ kind: 'directive', directive: 'directive', args, text: line }]);
    }),
    { numRuns: 2000 },
  );
});

test('lines and comments are kept as they stand', () => {
  const text = '# top\n\n  SAVE 900 1  \nbroken "quote\nlogfile ""\n';
  const lines = parseConfiguration(text);
  expect(lines.map((it) => it.text).join('\n') + '\n').toBe(text);
  expect(lines.map((it) => it.kind)).toEqual(['other', 'other', 'directive', 'broken', 'directive']);
  expect(lines[2]).toMatchObject({ directive: 'save', args: ['900', '1'] });
});

// As sdssplitargs of sds.c reads them.
test.each([
  ['a "b c" d', ['a', 'b c', 'd']],
  [String.raw`"\x41\x0a\"\\\t\q"`, ['A\n"\\\tq']],
  [String.raw`'it\'s \x41'`, [String.raw`it's \x41`]],
  [String.raw`"\xe2\x82\xac" €`, ['€', '€']],
  ['""', ['']],
  ['"a"b', undefined],
  ['"a', undefined],
  ["'a", undefined],
  ['  ', []],
])('%s', (line, args) => {
  expect(splitArguments(line)).toEqual(args);
});

test('what needs no quotes gets none', () => {
  expect(['-::*', '900', '/var/lib/redis', 'a"b', 'a b', '', '#x'].map(quoteArgument)).toEqual([
    '-::*',
    '900',
    '/var/lib/redis',
    String.raw`"a\"b"`,
    '"a b"',
    '""',
    '"#x"',
  ]);
});
