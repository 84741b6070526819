import { z } from 'zod';
import { deadline, duration, timezone } from './quantities.js';
import { weekdays } from './windows.js';

const day = 'expected a day from 1 to 28';

/** When something is done by itself, as the deployment file says it. Each use has a description of its own. */
export const scheduleFields = {
  at: z
    .string('expected a time of day such as 02:00')
    .regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'expected a time of day such as 02:00'),
  weekday: z.enum(weekdays),
  // A month has it, whichever it is.
  monthday: z.number(day).int(day).min(1, day).max(28, day),
  timezone: timezone.default('UTC').describe('Whose clocks: Europe/Berlin, America/New_York, UTC.'),
  jitter: duration('5m').describe('Begun up to so much later, at random, so that not all deployments do it at once.'),
  catchUp: deadline('1h').describe(
    'One that was missed, Temporal being away, is still begun if it is not later than this.',
  ),
};
