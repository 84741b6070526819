import { z } from 'zod';
import { BACKUP_ID } from './backup-manifest.js';
import { backupTiers } from './backup-tiers.js';
import { parseDuration } from './duration.js';
import { existingChoices } from './backup-restore.js';
import { copyName, NAME } from './names.js';
import { isOnePoint, ONE_POINT, pointFields } from './recovery-point.js';
import { parseRelease } from './release.js';
import { parseSlotRange } from './topology.js';

const deployment = z
  .string()
  .regex(NAME, 'expected the name of a deployment: lower-case letters, digits and dashes')
  .describe('Name of a deployment file that the worker can read.');

const release = z
  .string()
  .refine((text) => parseRelease(text) !== undefined, 'expected a release, for example 8.0, 7.2.4 or valkey-9.1');

const target = release.describe('The release to go to: 8.0 (the newest patch at hand), 7.2.4, valkey-9.1.');

const startedBy = z.string().min(1).default('unknown').describe('Who starts it; does not count as an approver of it.');

/** Input of the `upgrade` workflow: one JSON object, as the Temporal UI and CLI send it. */
export const upgradeInput = z.strictObject({
  deployment,
  to: target,
  via: z
    .array(release)
    .default([])
    .describe('Releases to go through one after the other, where one step can’t be: ["7.0"] for 5.0 to 7.2.'),
  startedBy,
});

const hop = z
  .boolean()
  .default(false)
  .describe('One hop of several: the question of the handover carries its release.');

const shard = z
  .string()
  .regex(/^shard-\d+$/, 'expected shard-1, shard-2, … as `rollout plan` names them')
  .describe('shard-1, shard-2, … as `rollout plan` names them.');

export const rollingUpgradeInput = z.strictObject({ deployment, to: target, startedBy, hop });

export const upgradeShardInput = z.strictObject({
  deployment,
  to: target,
  startedBy,
  shard,
  canary: z.boolean().default(false).describe('Soak after the first replica.'),
  hop,
});

const reason = z.string().min(1, 'expected a reason: it goes on record');

const restore = z
  .boolean()
  .describe(
    'Shards that were handed over and have no standby are restored from their backup: people are asked first, in the approval restore, which says what is lost. Without it such a fallback is refused.',
  );

/** Input of the `fallback` workflow, where no upgrade runs that could be told to fall back. */
export const fallbackInput = z.strictObject({
  deployment,
  startedBy,
  reason: reason.describe('Why; goes on record, and into the report.'),
  shards: z.array(shard).default([]).describe('These shards only; the others stay as they are. None named: all.'),
  gate: z.string().optional().describe('The gate that asked for it, where no person did.'),
  restore: restore.default(false),
});

/** Input of the `backup` workflow. */
const backupInput = z.strictObject({
  deployment,
  startedBy: startedBy.describe('Who asked for it; goes into the manifest.'),
  tier: z
    .enum(backupTiers, `expected ${backupTiers.join(', ')}`)
    .optional()
    .describe('What it is kept as: hourly, daily, weekly or monthly. Left out: somebody asked for it.'),
});

/** Input of the `scheduledBackup` workflow. */
const scheduledBackupInput = z.strictObject({
  deployment,
  tier: z
    .enum(backupTiers, `expected ${backupTiers.join(', ')}`)
    .describe('What it is kept as: hourly, daily, weekly or monthly.'),
  startedBy: startedBy.default('schedule').describe('Who asked for it; goes into the manifest.'),
});

/** Input of the `pruneBackups` workflow. */
const pruneBackupsInput = z.strictObject({ deployment, startedBy: startedBy.describe('Who asked for it.') });

const backup = z
  .string()
  .regex(BACKUP_ID, 'expected the id of a backup, as `rollout backups` lists it')
  .optional()
  .describe('Id of the backup, as `rollout backups` lists it; the newest where it is left out.');

/** Input of the `verifyBackup` workflow. */
const verifyBackupInput = z
  .strictObject({
    deployment,
    backup,
    ...pointFields,
    rate: z.int().min(1).optional().describe('Keys compared a second at the most.'),
    startedBy: startedBy.describe('Who asked for it.'),
  })
  .refine(isOnePoint, ONE_POINT);

/** Input of the `archive` workflow. */
const archiveInput = z.strictObject({ deployment, startedBy: startedBy.describe('Who asked for it.') });

const slotRange = z
  .string()
  .refine(
    (text) => parseSlotRange(text) !== undefined,
    'expected a slot or a range of slots, 0 to 16383, for example 0-5460',
  );

/** Input of the `restore` workflow. */
export const restoreInput = z
  .strictObject({
    deployment: deployment.describe(
      'Name of the deployment that is written to; a deployment file that the worker can read.',
    ),
    backup,
    ...pointFields,
    from: deployment
      .optional()
      .describe(
        'The deployment whose backup it is, where that is another one; a deployment file that the worker can read.',
      ),
    keys: z.string().min(1).optional().describe('Only keys like this, as KEYS takes it: cart:*'),
    slots: z.array(slotRange).min(1).optional().describe('Only keys of these slots: ["0-5460", "8000"]'),
    existing: z
      .enum(existingChoices)
      .default('refuse')
      .describe(
        'Keys of the backup that are there already: refuse (nothing is loaded), keep (they stay as they are), replace (overwritten).',
      ),
    exactly: z
      .boolean()
      .default(false)
      .describe(
        'Keys that are not in the backup are removed, among those that keys and slots mean. Needs existing: replace.',
      ),
    confirm: z
      .string()
      .optional()
      .describe(
        'The name of the deployment once more, where it has keys: they are written among. Without it people are asked, in the approval restore.',
      ),
    rate: z.int().min(1).optional().describe('Keys a second at the most, of all shards together.'),
    dryRun: z
      .boolean()
      .default(false)
      .describe('Only say what would be done; under the id redis/<deployment>/restore-plan.'),
    startedBy: startedBy.describe('Who asked for it.'),
  })
  .refine(isOnePoint, ONE_POINT)
  .refine(({ exactly, existing }) => !exactly || existing === 'replace', {
    path: ['exactly'],
    message: 'expected existing: replace beside it: what is kept as it is may be other than in the backup',
  });
export type RestoreInput = z.output<typeof restoreInput>;

const oneOf = (it: object, ...fields: string[]): boolean =>
  fields.filter((field) => (it as Record<string, unknown>)[field] !== undefined).length <= 1;

/** Input of the `drDrill` workflow. */
export const drDrillInput = z
  .strictObject({
    deployment,
    backup: backup.describe(
      'Id of the backup, as `rollout backups` lists it. Nothing named: the newest moment that the archive or a backup has.',
    ),
    ...pointFields,
    at: z
      .union([z.literal('now'), pointFields.at.unwrap()], 'expected now, or an instant such as 2026-11-29T23:14:00Z')
      .optional()
      .describe('The point in time: now (as far as the archive reaches), or an instant such as 2026-11-29T23:14:00Z.'),
    shards: z.array(shard).min(1).optional().describe('Only these shards of the backup: ["shard-1", "shard-4"]'),
    slots: z.array(slotRange).min(1).optional().describe('Only keys of these slots: ["0-5460", "8000"]'),
    sample: z
      .int('expected a whole number')
      .min(1, 'expected 1 or more')
      .optional()
      .describe('Only so many shards, in turns: those that were restored the longest ago.'),
    startedBy: startedBy.describe('Who asked for it; goes into the record.'),
  })
  .refine(isOnePoint, ONE_POINT)
  .refine((it) => oneOf(it, 'shards', 'slots', 'sample'), 'expected one of shards, slots and sample');
export type DrDrillInput = z.output<typeof drDrillInput>;

/** Input of the `scheduledDrill` workflow. */
const scheduledDrillInput = z.strictObject({
  deployment,
  startedBy: startedBy.default('schedule').describe('Who asked for it; goes into the record.'),
});

const duration = z
  .string()
  .refine((text) => parseDuration(text) !== undefined, 'expected a duration such as 30s, 15m, 4h or 7d');

/** Of one message of Temporal's; the document that comes back takes its share of another. */
const SCRIPTS_BYTES = 256 * 1024;

/** Input of the `assess` workflow. */
const assessInput = z.strictObject({
  deployment,
  to: target,
  via: upgradeInput.shape.via,
  over: duration
    .default('0s')
    .describe('How long its use is observed, up to 60 looks: 24h sees what runs once a day. 0s: one look.'),
  monitor: duration
    .default('0s')
    .describe(
      'How long to listen to MONITOR of every primary, which tells who uses which keys and slows servers down.',
    ),
  sample: z.int().min(1).default(10_000).describe('Keys of each shard that are looked at, at the most.'),
  scripts: z
    .record(z.string(), z.string())
    .default({})
    .refine(
      (all) => JSON.stringify(all).length <= SCRIPTS_BYTES,
      `expected scripts of ${SCRIPTS_BYTES / 1024} kB in all at the most`,
    )
    .describe('Lua scripts of the applications, text by name: no server lists those that it has.'),
  libraries: z
    .record(
      z.string(),
      z.string().regex(/^[^@\s]+(@[^@\s]+)?$/, 'expected a library and its version, for example go-redis@8.11.4'),
    )
    .default({})
    .describe('Libraries by application (client name), where clients don’t tell: {"checkout": "go-redis@8.11.4"}.'),
  price: z
    .strictObject({
      amount: z.number().min(0).describe('Of one GiB of memory for an hour.'),
      currency: z.string().min(1).describe('For example EUR.'),
    })
    .optional()
    .describe('What memory costs, to estimate the cost of standbys.'),
  startedBy: startedBy.describe('Who asked for it; goes into the document.'),
});

/** Input of the `staging` workflow. */
export const stagingInput = z.strictObject({
  deployment: deployment.refine(
    (name) => copyName(name).length <= 63,
    'expected a name of 55 letters at most, since the copy is called <name>-staging',
  ),
  to: target,
  via: upgradeInput.shape.via,
  backup: backup.describe(
    'Id of the backup that the copy is made of; the newest that was proven where it is left out.',
  ),
  slots: z.array(slotRange).min(1).optional().describe('A sample: only keys of these slots, for example ["0-999"].'),
  keep: z.boolean().default(false).describe('Leave the copy standing at the end; the next rehearsal takes it away.'),
  startedBy: startedBy.describe('Who asked for it; goes into the record.'),
});

const by = z.string().min(1).describe('Who: as policy.roles of the deployment file name them.');

export const controlInput = z.strictObject({ by, reason: z.string().optional().describe('Goes on record.') });
export const approveInput = z.strictObject({
  by,
  approval: z.string().min(1).optional().describe('Which question; may be left out when just one is open.'),
  askedAt: z.iso
    .datetime('expected when the question was asked, as status has it')
    .optional()
    .describe('For the question as it was asked then; refused once it is asked anew.'),
  comment: z.string().optional().describe('Goes on record.'),
  signature: z
    .string()
    .regex(/^[0-9a-f]{128}$/, 'expected 128 hexadecimal digits, as `rollout approve --key` sends them')
    .optional()
    .describe('Where policy.approvals.signed asks for it: Ed25519, of the answer and of the question as it was asked.'),
});
export const overrideInput = z.strictObject({
  by,
  gate: z.string().min(1).describe('The gate that blocks, as `status` names it.'),
  reason: reason.describe('Goes on record, and into the report.'),
  shard: z.string().optional().describe('For this shard only.'),
});

const fallbackControl = z.strictObject({
  by,
  reason: reason.describe('Goes on record, and into the report.'),
  shard: shard.optional().describe('This shard only; the others stay as they are.'),
  restore: restore.optional(),
});

export const workflowSchemas = {
  upgrade: upgradeInput,
  rollingUpgrade: rollingUpgradeInput,
  upgradeShard: upgradeShardInput,
  fallback: fallbackInput,
  backup: backupInput,
  verifyBackup: verifyBackupInput,
  scheduledBackup: scheduledBackupInput,
  pruneBackups: pruneBackupsInput,
  restore: restoreInput,
  archive: archiveInput,
  drDrill: drDrillInput,
  scheduledDrill: scheduledDrillInput,
  assess: assessInput,
  staging: stagingInput,
} as const;

/** Of each signal, and of the update of its name. */
export const controlSchemas = {
  approve: approveInput,
  reject: approveInput,
  pause: controlInput,
  resume: controlInput,
  abort: controlInput,
  override: overrideInput,
  fallback: fallbackControl,
} as const;

/** Under which name an input is documented: one signal is called as its workflow is. */
export const controlDocument = (name: keyof typeof controlSchemas): string =>
  name in workflowSchemas ? `${name}-signal` : name;

/** Every workflow, signal and update by the schema of its one object, as they are documented. */
export const inputSchemas: Readonly<Record<string, z.ZodObject>> = {
  ...workflowSchemas,
  ...Object.fromEntries(
    Object.entries(controlSchemas).map(([name, schema]) => [
      controlDocument(name as keyof typeof controlSchemas),
      schema,
    ]),
  ),
};

export type FallbackInput = z.output<typeof fallbackInput>;
export type UpgradeInput = z.output<typeof upgradeInput>;

/** `to: expected a release …, found 'latest'`, one line a field. */
export function inputProblems(error: z.ZodError, input: unknown): string {
  return error.issues
    .map((issue) => {
      const field = issue.path.join('.') || 'input';
      const found = issue.path.reduce<unknown>(
        (at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key],
        input,
      );
      return `${field}: ${issue.message}${found === undefined ? '' : `, found ${JSON.stringify(found)}`}`;
    })
    .join('\n');
}
