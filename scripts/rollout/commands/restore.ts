import type { Command } from 'commander';
import { Option } from 'commander';
import { forecastText, progressText, type RestoreForecast } from '../../../model/backup-restore.js';
import { inputProblems, restoreInput, type RestoreInput } from '../../../model/inputs.js';
import { operationId, restorePlanWorkflowId } from '../../../model/names.js';
import type { OperationStatus } from '../../../model/operation.js';
import type { TemporalAccess } from '../../../workers/client.js';
import { command, shared } from '../command.js';
import { Complaint } from '../complaint.js';
import { identity } from '../identity.js';
import { resultOf, startShort, type Short } from '../run-to-end.js';
import { withTemporal } from '../temporal.js';
import { note, print, printJson } from '../terminal.js';
import { alreadyRunning } from './start.js';

interface RestoreOptions {
  backup?: string;
  at?: string;
  before?: string;
  offset?: string;
  from?: string;
  keys?: string;
  slots?: string[];
  keep?: true;
  replace?: true;
  exactly?: true;
  rate?: number;
  dryRun?: true;
  yes?: string;
  as?: string;
  wait: boolean;
  json?: true;
}

export function restoreCommand(): Command {
  return command('restore', {
    summary: 'load a backup, or some of it, into a deployment',
    description:
      'Loads a backup into the deployment that it was taken of, or into another: of fewer or more shards, of a newer or an ' +
      'older release. The backup is read whole first, and what would be done is said; into a deployment that has keys it ' +
      'goes on only once its name was typed (--yes) or people approve. Keys that are there already: nothing is loaded, ' +
      'unless --keep or --replace says what becomes of them. Keys that are not in the backup stay, unless --exactly removes ' +
      'them. Afterwards every key is ' +
      'compared with the backup. --dry-run changes nothing.',
    examples: [
      ['rollout restore orders --dry-run', 'what the newest backup would bring back'],
      ['rollout restore orders --keep', 'what is missing; what is there stays'],
      ["rollout restore orders --keys 'cart:*' --replace --yes orders", 'carts as they were'],
      ["rollout restore orders --keys 'cart:*' --exactly --dry-run", 'and which carts would be removed'],
      ['rollout restore orders --before FLUSHALL --replace', 'as it was just before the last one'],
      ['rollout restore orders-copy --from orders --rate 20000', 'into another deployment, slowly'],
    ],
  })
    .argument('<deployment>', 'name of the deployment that is written to')
    .option('--backup <id>', 'which, as `rollout backups` lists it; the newest by default')
    .option('--at <instant>', 'as it was at a moment, by the archive: 2026-11-29T23:14:00Z')
    .option('--before <command>', 'as it was just before the last command of the archive that begins so')
    .option('--offset <shard=offset>', 'as it was when a shard was at an offset: shard-1=123456')
    .option('--from <deployment>', 'the deployment whose backup it is; the same by default')
    .option('--keys <pattern>', 'only keys like this, as KEYS takes it')
    .addOption(
      new Option('--slots <ranges>', 'only keys of these slots: 0-5460,8000').argParser((text: string) =>
        text.split(','),
      ),
    )
    .option('--keep', 'keys that are there already stay as they are')
    .option('--replace', 'keys that are there already are overwritten')
    .option('--exactly', 'as --replace, and keys that are not in the backup are removed: of those that are meant')
    .addOption(new Option('--rate <keys>', 'keys a second at the most, of all shards together').argParser(Number))
    .option('--dry-run', 'only say what would be done')
    .option('--yes <name>', 'the name of the deployment once more: yes, although it has keys')
    .addOption(shared.as())
    .option('--no-wait', 'leave once it is started')
    .action(restore);
}

async function restore(deployment: string, options: RestoreOptions): Promise<void> {
  const { backup, at, before, offset, from, keys, slots, rate, yes, keep, exactly } = options;
  const replace = options.replace ?? exactly;
  if (keep && replace)
    throw new Complaint('usage', `--keep and --${exactly ? 'exactly' : 'replace'}: expected one of them, found both`);
  const raw = {
    ...{ deployment, startedBy: identity(options.as) },
    ...Object.fromEntries(
      Object.entries({ backup, at, before, offset, from, keys, slots, rate, exactly, confirm: yes }).filter(
        ([, value]) => value !== undefined,
      ),
    ),
    ...(keep || replace ? { existing: keep ? 'keep' : 'replace' } : {}),
  };
  const parsed = restoreInput.safeParse(raw);
  if (!parsed.success) throw new Complaint('usage', `it can't be restored:\n${inputProblems(parsed.error, raw)}`);
  const input = parsed.data;
  if (yes !== undefined && yes !== deployment)
    throw new Complaint('usage', `--yes: expected ${deployment}, the deployment that is written to, found ${yes}`);
  await withTemporal(async (temporal) => {
    if (options.dryRun) {
      const forecast = await forecastOf(temporal, input);
      if (options.json) printJson(forecast);
      else print(forecastText(forecast));
      return;
    }
    const agreed = await agree(temporal, input, options);
    const workflowId = operationId(deployment);
    const what = `the restore of a backup into ${deployment}`;
    const started = await startShort(temporal, { type: 'restore', workflowId, input: agreed, what }).catch(
      async (error: unknown) => {
        if (error instanceof Complaint && error.exit === 'refused') throw await alreadyRunning(temporal, deployment);
        throw error;
      },
    );
    if (!options.wait) {
      if (options.json) printJson({ ...started, input: agreed });
      else print([`Started ${workflowId}.`, `Follow it: rollout watch ${deployment}`]);
      return;
    }
    const result = await resultOf<{ statement: string }>(temporal, started, watcher(temporal, started));
    if (options.json) printJson(result);
    else print(result.statement);
  });
}

async function forecastOf(temporal: TemporalAccess, input: RestoreInput): Promise<RestoreForecast> {
  const { deployment } = input;
  const dry: RestoreInput = { ...input, dryRun: true };
  const what = `a dry run of a restore into ${deployment}`;
  const short: Short = { type: 'restore', workflowId: restorePlanWorkflowId(deployment), input: dry, what };
  return resultOf<RestoreForecast>(temporal, await startShort(temporal, short));
}

/** On a terminal it is shown first what would be done, and the name is typed. */
async function agree(temporal: TemporalAccess, input: RestoreInput, { json }: RestoreOptions): Promise<RestoreInput> {
  if (input.confirm !== undefined || json || !process.stdin.isTTY || !process.stdout.isTTY) return input;
  const { deployment } = input;
  const forecast = await forecastOf(temporal, input);
  print(forecastText(forecast));
  const { totals, existing, tooLarge } = forecast;
  // It would be refused anyway, and says why.
  if (totals.targetKeys === 0 || tooLarge.length > 0 || (existing === 'refuse' && totals.present > 0)) return input;
  const { isCancel, text } = await import('@clack/prompts');
  const answer = await text({
    message: `Type ${deployment} to go on`,
    validate: (given) => (given === deployment ? undefined : `expected ${deployment}`),
  });
  if (isCancel(answer)) throw new Complaint('interrupted', 'nothing was written');
  return { ...input, confirm: deployment };
}

/** Says how far it is, each time that there is something new: on a terminal every second, else every half a minute. */
function watcher(
  { client }: TemporalAccess,
  { workflowId, runId }: { workflowId: string; runId: string },
): Parameters<typeof resultOf>[2] {
  const everyMs = process.stderr.isTTY ? 1000 : 30_000;
  let saidAt = Date.now();
  let last = '';
  return async (description) => {
    if (Date.now() - saidAt < everyMs) return;
    saidAt = Date.now();
    const { withLiveRestore } = await import('../../../workers/live-restore.js');
    const handle = client.workflow.getHandle(workflowId, runId);
    const status = await handle.query<OperationStatus>('status').catch(() => undefined);
    if (!status) return;
    const { restoring, waiting } = withLiveRestore(status, description, client.workflow);
    const [wait] = waiting;
    const line = wait
      ? `waits for ${wait.kind} ${wait.name}: ${wait.command}`
      : restoring
        ? progressText(restoring)
        : '';
    if (line !== '' && line !== last) note(line);
    last = line;
  };
}
