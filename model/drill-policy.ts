import { z } from 'zod';
import { deadline, optionalDeadline, optionalSize } from './quantities.js';
import { scheduleFields } from './schedule-fields.js';

const schedule = z.strictObject({
  every: z.enum(['day', 'week', 'month']).default('week').describe('How often one is held.'),
  at: scheduleFields.at.default('04:00').describe('At what time, on the clocks of timezone.'),
  weekday: scheduleFields.weekday.default('sun').describe('With every: week, on which day.'),
  monthday: scheduleFields.monthday.default(1).describe('With every: month, on which day of it.'),
  timezone: scheduleFields.timezone,
  jitter: scheduleFields.jitter,
  catchUp: scheduleFields.catchUp,
});

/** `drill` of the deployment file. */
export const drillPolicy = z.strictObject({
  objectives: z
    .strictObject({
      recoveryTime: optionalDeadline().describe(
        'From nothing to every key served, at the most. Left out: measured only.',
      ),
      recoveryPoint: optionalDeadline().describe(
        'How old the backup may be at the beginning of a drill. Left out: measured only.',
      ),
    })
    .prefault({})
    .describe('What recovery is held against.'),
  failures: z
    .boolean()
    .default(true)
    .describe(
      'Then also kill a primary of the scratch cluster, and lose one of its shards, and measure how that goes.',
    ),
  nodeTimeout: deadline('15s').describe(
    'cluster-node-timeout of the scratch cluster; the deployment’s own, where its failovers are to be told.',
  ),
  sample: z
    .number('expected a whole number')
    .int('expected a whole number')
    .min(1, 'expected 1 or more')
    .optional()
    .describe(
      'How many shards a drill restores where none are named, in turns: those that were restored the longest ago. Left out: all.',
    ),
  memory: optionalSize().describe(
    'Memory of the worker’s machine that a drill may take at the most; never more than nine tenths of what is free.',
  ),
  schedule: schedule
    .optional()
    .describe('When drills are held by themselves, once `rollout schedule` was run; {} for every default.'),
  keep: z
    .number('expected a whole number')
    .int('expected a whole number')
    .min(1, 'expected 1 or more')
    .default(200)
    .describe('How many records of drills are kept; older ones are removed after each drill.'),
});

export type DrillSchedule = z.output<typeof schedule>;
