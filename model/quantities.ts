import { z } from 'zod';
import { parseDuration, parseSize } from './duration.js';
import { isTimezone } from './windows.js';

// Every message of a rule of ours says what was expected; what was found is added by deployment-file.ts, which has the
// text of the file.
const quantity = (fallback: string, pattern: RegExp, parse: (text: string) => number | undefined, expected: string) => {
  if (!pattern.test(fallback)) throw new Error(`${expected}, found the default ${fallback}`);
  return z
    .string(expected)
    .regex(pattern, expected)
    .default(fallback)
    .transform((text) => parse(text) ?? Number.NaN);
};

const POSITIVE_DURATION = /^(?=.*[1-9])\d+(\.\d+)?\s*(ms|s|m|h|d)$/;

const expectedDuration = 'expected a duration such as 500ms, 30s, 15m, 4h or 7d';

/** `30s`, `15m`, `4h` in the file; milliseconds in the code. */
export const duration = (fallback: string) =>
  quantity(fallback, /^\d+(\.\d+)?\s*(ms|s|m|h|d)$/, parseDuration, expectedDuration);

/** As `duration`, and not nothing: a deadline of 0s would have passed before anybody could meet it. */
export const deadline = (fallback: string) =>
  quantity(fallback, POSITIVE_DURATION, parseDuration, `${expectedDuration}, longer than nothing`);

/** As `deadline`, where nothing is a value of its own. */
export const optionalDeadline = () => {
  const expected = `${expectedDuration}, longer than nothing`;
  return z
    .string(expected)
    .regex(POSITIVE_DURATION, expected)
    .transform((text) => parseDuration(text) ?? Number.NaN)
    .optional();
};

const SIZE = /^\d+(\.\d+)?\s*(B|kB|MB|GB|TB)$/;
const expectedSize = 'expected a size such as 512kB, 64MB or 2GB';

/** `64MB` in the file; bytes in the code. */
export const size = (fallback: string) => quantity(fallback, SIZE, parseSize, expectedSize);

/** As `size`, where nothing is a value of its own. */
export const optionalSize = () =>
  z
    .string(expectedSize)
    .regex(SIZE, expectedSize)
    .transform((text) => parseSize(text) ?? Number.NaN)
    .optional();

export const timezone = z
  .string('expected the name of a time zone such as Europe/Berlin or UTC')
  .refine(isTimezone, 'expected the name of a time zone such as Europe/Berlin or UTC');
