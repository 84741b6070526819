import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { loadDeployment } from '../../../integrations/deployment-files.js';
import { inputProblems, stagingInput } from '../../../model/inputs.js';
import { copyName, stagingWorkflowId } from '../../../model/names.js';
import type { StagingRecord } from '../../../model/staging.js';
import { command, shared } from '../command.js';
import { Complaint } from '../complaint.js';
import { identity } from '../identity.js';
import { resultOf, startShort } from '../run-to-end.js';
import { withTemporal } from '../temporal.js';
import { print, printJson, widthOf } from '../terminal.js';
import { stagingsView, stagingView } from '../views/staging-view.js';

/** Rehearsals of the past that are listed. */
const LISTED = 50;

interface StartOptions {
  to: string;
  via: string[];
  backup?: string;
  slots?: string[];
  keep?: true;
  wait?: true;
  as?: string;
  json?: true;
}

export function stagingCommand(): Command {
  return command('staging', {
    summary: 'rehearse an upgrade on a copy, and have it signed off',
    description:
      'A copy of the deployment is made from a proven backup on the worker’s machine, upgraded, taken back and upgraded again ' +
      'under load, measured before and after, and put to the checks of the deployment file; then people sign it off. The ' +
      'deployment itself is only read. `rollout status redis/orders/staging` shows where it stands, and `rollout approve ' +
      'redis/orders/staging --approval product` signs it off.',
    examples: [
      ['rollout staging start orders --to 8.0', 'begin one'],
      ['rollout staging show orders', 'what came of the last one'],
    ],
  })
    .addCommand(startCommand())
    .addCommand(showCommand());
}

function startCommand(): Command {
  return (
    command('start', {
      summary: 'begin a rehearsal',
      description:
        'It takes as long as its benchmarks and its soak do, days by default, and goes on by itself. One at a time for each ' +
        'deployment.',
      examples: [
        ['rollout staging start orders --to 8.0', 'on a copy of the newest backup that was proven'],
        ['rollout staging start orders --to 8.0 --slots 0-1023', 'on a sixteenth of the keys'],
        ['rollout staging start orders --to 7.2 --via 7.0 --wait', 'in two hops, and wait for the decision'],
      ],
    })
      .argument('<deployment>', 'name of the deployment')
      .requiredOption('--to <release>', 'release to go to: 8.0, 7.2.4, valkey-9.1')
      .addOption(shared.via())
      .option('--backup <id>', 'which, as `rollout backups` lists it; the newest that was proven by default')
      .addOption(
        new Option('--slots <ranges>', 'only keys of these slots: 0-1023,8000').argParser((text: string) =>
          text.split(','),
        ),
      )
      .option('--keep', 'leave the copy standing at the end')
      .option('--wait', 'wait for the decision')
      .addOption(shared.as())
      // `--json` is an option of `rollout staging`, too, and may have been taken for its own.
      .action((name: string, _: unknown, self: Command) => start(name, self.optsWithGlobals()))
  );
}

async function start(deployment: string, options: StartOptions): Promise<void> {
  const { to, via, backup, slots, keep = false, wait, as, json } = options;
  const raw = {
    ...{ deployment, to, via, keep, startedBy: identity(as) },
    ...(backup === undefined ? {} : { backup }),
    ...(slots === undefined ? {} : { slots }),
  };
  const input = stagingInput.safeParse(raw);
  if (!input.success) throw new Complaint('usage', `no rehearsal can begin:\n${inputProblems(input.error, raw)}`);
  await withTemporal(async (temporal) => {
    const workflowId = stagingWorkflowId(deployment);
    const what = `a rehearsal of ${deployment}`;
    const started = await startShort(temporal, { type: 'staging', workflowId, input: input.data, what });
    if (!wait) {
      if (json) printJson({ ...started, input: input.data });
      else
        print([
          `Started ${workflowId}.`,
          `Where it stands: rollout status ${workflowId}; its upgrade: rollout status ${copyName(deployment)}`,
        ]);
      return;
    }
    const record = await resultOf<StagingRecord>(temporal, started);
    if (json) printJson(record);
    else print(stagingView(record, { width: widthOf(process.stdout) }));
    if (record.decision !== 'go') throw new Complaint('stopped', `the rehearsal of ${deployment} ended in no-go`);
  });
}

function showCommand(): Command {
  return command('show', {
    summary: 'what came of the rehearsals',
    description:
      `Reads the deployment’s target: the newest rehearsal step by step with its benchmarks and answers, or all of the last ${LISTED}. ` +
      'No Temporal is needed, and no key.',
    examples: [
      ['rollout staging show orders', 'the newest'],
      ['rollout staging show orders --report rehearsal.html', 'as one HTML file, to be sent around'],
      ['rollout staging show orders --all', 'a line each'],
      ['rollout staging show orders --json | jq .benchmarks', 'for scripts'],
    ],
  })
    .argument('<deployment>', 'name of the deployment')
    .option('--all', 'all of them, a line each')
    .option('--report <file>', 'write the report of the newest one as one HTML file')
    .action((name: string, _: unknown, self: Command) => show(name, self.optsWithGlobals()));
}

async function show(name: string, { all, report, json }: { all?: true; report?: string; json?: true }): Promise<void> {
  const deployment = await loadDeployment(name);
  const { StagingRecords } = await import('../../../integrations/staging-records.js');
  const records = await StagingRecords.open(deployment);
  const found = await records.newest(all ? LISTED : 1);
  const width = widthOf(process.stdout);
  const newest = found.find((it): it is StagingRecord => !('problem' in it));
  if (report !== undefined) {
    if (!newest)
      throw new Complaint('refused', `there is no record of a rehearsal of ${name} in ${records.name}`, [
        `Begin one: rollout staging start ${name} --to 8.0`,
      ]);
    await writeReport(report, newest);
  }
  if (!all && newest && newest === found[0]) {
    if (json) printJson(newest);
    else print([...stagingView(newest, { width }), ...(report === undefined ? [] : [`Wrote ${report}`])]);
    return;
  }
  if (json) printJson({ deployment: name, target: records.name, rehearsals: found });
  else print(stagingsView(found, { deployment: name, target: records.name, now: Date.now(), width }));
}

async function writeReport(file: string, rehearsal: StagingRecord): Promise<void> {
  const { renderStaging } = await import('../../../model/report/render-staging.js');
  await writeFile(resolve(file), renderStaging({ generatedAt: new Date().toISOString(), rehearsal }).blocks());
}
