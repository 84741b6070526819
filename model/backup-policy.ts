import { z } from 'zod';
import { backupTiers } from './backup-tiers.js';
import { deadline } from './quantities.js';
import { scheduleFields } from './schedule-fields.js';

const every = (fallback: number, what: string) =>
  z
    .number('expected a whole number: 1 for each, 7 for every seventh, 0 for none')
    .int('expected a whole number: 1 for each, 7 for every seventh, 0 for none')
    .min(0)
    .default(fallback)
    .describe(`Every so many ${what} one is proven; 0: none.`);

/** `backup.schedule` of the deployment file. */
export const backupSchedule = z.strictObject({
  tiers: z
    .array(z.enum(backupTiers, `expected ${backupTiers.join(', ')}`))
    .min(1)
    .default([...backupTiers])
    .describe('Which backups are taken: hourly, daily, weekly, monthly.'),
  at: scheduleFields.at
    .default('02:00')
    .describe(
      'When the daily, weekly and monthly one is taken, on the clocks of timezone; the hourly ones at its minute.',
    ),
  weekday: scheduleFields.weekday
    .default('sun')
    .describe('The day of the weekly one, which is taken in place of the daily one.'),
  monthday: scheduleFields.monthday
    .default(1)
    .describe('The day of the monthly one, which is taken in place of the daily or weekly one.'),
  timezone: scheduleFields.timezone,
  jitter: scheduleFields.jitter,
  catchUp: scheduleFields.catchUp,
  prove: z
    .strictObject({
      hourly: every(0, 'hourly'),
      daily: every(1, 'daily'),
      weekly: every(1, 'weekly'),
      monthly: every(1, 'monthly'),
    })
    .prefault({})
    .describe('Which are restored for real right after they were taken: 1 each, 7 every seventh, 0 none.'),
});

const most = z.number('expected a whole number').int('expected a whole number').min(0).max(1000);
/** `backup.retention` of the deployment file. */
export const backupRetention = z.strictObject({
  hourly: most.default(3).describe('For how many hours (UTC) the newest backup of each is kept.'),
  daily: most.default(7).describe('For how many days; hourly ones don’t count.'),
  weekly: most.default(4).describe('For how many weeks, from Monday; only weekly and monthly ones count.'),
  monthly: most.default(12).describe('For how many months; only monthly ones count.'),
  atLeast: deadline('30d').describe('So long stays whatever is no hourly one, and what somebody asked for.'),
});

/** `backup.target.objectLock` of the deployment file. */
export const objectLock = z.strictObject({
  mode: z
    .enum(['governance', 'compliance'])
    .describe('governance: whoever has the right to may remove it all the same. compliance: nobody can.'),
  for: deadline('30d').describe('How long nobody can remove or change an object, from when it was put.'),
});

export type BackupSchedule = z.output<typeof backupSchedule>;
