import { z } from 'zod';
import { backupTiers } from './backup-tiers.js';
import { deadline, duration, size } from './quantities.js';
import { scheduleFields } from './schedule-fields.js';
import { secretReference } from './secret-reference.js';

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

const objectLock = z.strictObject({
  mode: z
    .enum(['governance', 'compliance'])
    .describe('governance: whoever has the right to may remove it all the same. compliance: nobody can.'),
  for: deadline('30d').describe('How long nobody can remove or change an object, from when it was put.'),
});

const folderTarget = z.strictObject({
  kind: z.literal('folder').describe('A folder of the worker’s machine.'),
  folder: z.string().min(1).describe('Path of it, made where it isn’t there.'),
});

const s3Target = z.strictObject({
  kind: z.literal('s3').describe('A bucket of S3, or of a store that speaks its protocol.'),
  bucket: z.string().min(3).describe('Name of the bucket; it has to be there.'),
  prefix: z
    .string()
    .regex(/^[^/](.*[^/])?$/, 'expected a prefix without a slash at its beginning or end, for example redis/backups')
    .optional()
    .describe('Before the name of every object.'),
  region: z.string().min(1).default('us-east-1').describe('Region of the bucket.'),
  endpoint: z
    .url({ protocol: /^https?$/, error: 'expected an http or https address, for example https://s3.example.com' })
    .refine(
      (text) => !/^[a-z]+:\/\/[^/?#]*@/i.test(text),
      'expected an address without user and password: name them under accessKeyId and secretAccessKey',
    )
    .optional()
    .describe('Address of a store other than AWS’s own.'),
  accessKeyId: secretReference
    .optional()
    .describe(
      'env:NAME or file:PATH. Left out with its secret: environment, profile or role, as the AWS SDK finds them.',
    ),
  secretAccessKey: secretReference.optional().describe('env:NAME or file:PATH. Never the secret itself.'),
  objectLock: objectLock
    .optional()
    .describe(
      'Lock what is put; the bucket has to be made with object lock. Without it the bucket’s own default holds.',
    ),
});

const keyReference = z
  .string()
  .regex(
    /^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+|kms:arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key\/[A-Za-z0-9-]+)$/,
    'expected env:NAME, file:PATH or kms:ARN with the ARN of a key, never the key itself',
  );

const encryption = z.strictObject({
  key: keyReference.describe(
    'Where the key lies that seals new backups: env:NAME or file:PATH, 32 random bytes as base64 or hex; or kms:ARN, a symmetric key of AWS KMS.',
  ),
  olderKeys: z.array(keyReference).default([]).describe('Keys that open backups which were sealed with them.'),
});

const archive = z.strictObject({
  mergeAfter: deadline('2h').describe('Segments so old are made into larger ones, of an hour or 64 MB.'),
  keep: deadline('7d').describe(
    'How far back every moment can be had: what pruning keeps of the archive, with the backup that it begins from.',
  ),
  rollBytes: size('8MB').describe(
    'A segment is written when it has this much, before compression. Six of them fit in the worker’s memory, of each shard.',
  ),
  rollEvery: duration('500ms').describe(
    'And at the latest this long after its first byte came: so far behind the primary a recovery may be, and so many objects there are.',
  ),
});

/** `backup` of the deployment file. */
export const backup = z.strictObject({
  directory: z
    .string()
    .min(1)
    .describe(
      'On the worker’s machine: the verified snapshots that upgrades take; with encryption only notes of them, and the snapshots go into target.',
    ),
  keep: z.number().int().min(1).default(3).describe('How many of the backups that upgrades take are kept, the newest.'),
  target: z
    .discriminatedUnion('kind', [folderTarget, s3Target])
    .optional()
    .describe('Where backups are put that are sealed; without it into the folder _backups below directory.'),
  encryption: encryption
    .optional()
    .describe(
      'What backups are sealed with: those of `rollout backup`, which takes none without it, and those of upgrades, which lie open in directory without it.',
    ),
  schedule: backupSchedule
    .optional()
    .describe('When backups are taken by themselves, once `rollout schedule` was run; {} for every default.'),
  retention: backupRetention
    .prefault({})
    .describe(
      'Which backups stay when others are pruned: after each that a schedule has taken, or by `rollout backups prune`.',
    ),
  archive: archive.prefault({}).describe('How `rollout archive` cuts the stream of commands behind the backups.'),
});

export type BackupSchedule = z.output<typeof backupSchedule>;
