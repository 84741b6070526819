import { Option, type Command } from 'commander';
import type { BackupVerdict } from '../../../model/backup-manifest.js';
import type { PointVerdict } from '../../../model/recovery-point.js';
import { inputProblems, workflowSchemas } from '../../../model/inputs.js';
import { verifyBackupWorkflowId } from '../../../model/names.js';
import { command, shared } from '../command.js';
import { Complaint } from '../complaint.js';
import { identity } from '../identity.js';
import { resultOf, startShort } from '../run-to-end.js';
import { withTemporal } from '../temporal.js';
import { print, printJson } from '../terminal.js';
import { provenPointView, provenView } from '../views/backup-view.js';

export function verifyBackupCommand(): Command {
  return command('verify', {
    summary: 'prove a backup by restoring it',
    description:
      'Opens every shard of a backup and has a server of its release load it, one after the other; what that serves is compared ' +
      'with the backup, key by key, by value and expiry (policy.verify: sample has every key looked for, and 10,000 compared); ' +
      'then the server is thrown away. No node of the deployment is touched, and nothing lies open on a disk. The worker needs as ' +
      'much free memory as the largest shard. What came of it is kept beside the backup.',
    examples: [
      ['rollout backup verify orders', 'the newest'],
      ['rollout backup verify orders 20261129T231400Z-1a2b3c4d', 'this one'],
      ['rollout backup verify orders --at 2026-11-29T23:14:00Z', 'a moment, with the archive'],
      ['rollout backup verify orders --before FLUSHALL', 'just before the last one'],
    ],
  })
    .argument('<deployment>', 'name of the deployment')
    .argument('[backup]', 'which, as `rollout backups` lists it; the newest by default')
    .option('--at <instant>', 'bring it back to a moment, in servers that are thrown away: 2026-11-29T23:14:00Z')
    .option('--before <command>', 'to just before the last command of the archive that begins so')
    .option('--offset <shard=offset>', 'to where the others were when a shard was at an offset: shard-1=123456')
    .addOption(new Option('--rate <keys>', 'keys compared a second at the most').argParser(Number))
    .addOption(shared.as())
    .action((deployment: string, backup: string | undefined, _: unknown, self: Command) =>
      // `--as` and `--json` are options of `rollout backup`, too, and may have been taken for its own.
      verify(deployment, backup, self.optsWithGlobals()),
    );
}

interface VerifyOptions {
  as?: string;
  json?: true;
  at?: string;
  before?: string;
  offset?: string;
  rate?: number;
}

async function verify(
  deployment: string,
  backup: string | undefined,
  { as, json, at, before, offset, rate }: VerifyOptions,
): Promise<void> {
  const asked = Object.entries({ backup, at, before, offset, rate }).filter(([, value]) => value !== undefined);
  const raw = { deployment, startedBy: identity(as), ...Object.fromEntries(asked) };
  const input = workflowSchemas.verifyBackup.safeParse(raw);
  if (!input.success) throw new Complaint('usage', `it can't be verified:\n${inputProblems(input.error, raw)}`);
  await withTemporal(async (temporal) => {
    const workflowId = verifyBackupWorkflowId(deployment);
    const what = `the verification of a backup of ${deployment}`;
    const started = await startShort(temporal, { type: 'verifyBackup', workflowId, input: input.data, what });
    const verdict = await resultOf<BackupVerdict | PointVerdict>(temporal, started);
    if (json) printJson(verdict);
    else print('point' in verdict ? provenPointView(deployment, verdict) : provenView(deployment, verdict));
  });
}
