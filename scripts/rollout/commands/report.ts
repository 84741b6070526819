import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Client } from '@temporalio/client';
import type { Command } from 'commander';
import { backupId } from '../../../model/backup-manifest.js';
import type { WorkflowType } from '../../../model/names.js';
import { command } from '../command.js';
import { Complaint } from '../complaint.js';
import { withTemporal, workflowIdOf } from '../temporal.js';
import { note, print, printJson } from '../terminal.js';
import { readDrills, reportOf, writeDrillReport } from './drills.js';

interface ReportOptions {
  out?: string;
  run?: string;
  json?: true;
}

export function reportCommand(): Command {
  return command('report', {
    summary: 'write the report of an operation or a drill, running or ended',
    description:
      'One HTML file that needs no network: verdict, timeline, latency and write gaps per shard, gates, approvals, ' +
      'configuration and versions before and after, ledger and verification; of a restore, what was written and compared. A ' +
      'worker has to run: it answers the queries. Of a drill it is made from the records, with the trend of all of them.',
    examples: [
      ['rollout report orders', 'writes orders-report.html'],
      ['rollout report orders --out /srv/reports/orders.html', 'elsewhere'],
      ['rollout report orders --run 0192f1c5-… --json', 'an earlier run of it, as JSON'],
      ['rollout report redis/orders/drill', 'the newest drill, as rollout drills --report'],
    ],
  })
    .argument('<deployment>', 'name of the deployment, or id of the operation')
    .option('--out <file>', 'where to write it (default: <deployment>-report.html)')
    .option('--run <id>', 'run id of an earlier operation; the latest by default')
    .action(report);
}

async function report(deployment: string, options: ReportOptions): Promise<void> {
  const workflowId = workflowIdOf(deployment);
  const drilled = /^redis\/([^/]+)\/drill(?:\/|$)/.exec(workflowId)?.[1];
  if (drilled !== undefined) return reportDrill(drilled, workflowId, options);
  const { out, run, json } = options;
  const data = await withTemporal(async ({ client }) => {
    const { collectReport } = await import('../../../workers/collect-report.js');
    return collectReport(client.workflow, workflowId, run);
  });
  if (data.probe === undefined && data.status.operation !== 'restore')
    note(
      data.status.artefacts === ''
        ? 'The probe has left nothing: the report has no latencies and no ledger.'
        : `The probe's findings can't be read here (${data.status.artefacts} on the worker's machine): the report has no latencies and no ledger.`,
    );
  const file = out ?? (json ? undefined : `${data.status.deployment}-report.html`);
  if (file !== undefined) {
    const { renderReport } = await import('../../../model/report/render-report.js');
    await writeFile(resolve(file), renderReport(data));
  }
  if (json) printJson(data);
  else print(`Wrote ${file ?? ''}`);
}

/** From its record in the target; Temporal is asked only which of them a run has written. */
async function reportDrill(deployment: string, workflowId: string, { out, run, json }: ReportOptions): Promise<void> {
  const id = run === undefined ? undefined : await withTemporal(({ client }) => drillOf(client, workflowId, run));
  const data = reportOf(deployment, (await readDrills(deployment)).drills, id);
  const file = out ?? (json ? undefined : `${deployment}-drill.html`);
  if (file !== undefined) await writeDrillReport(file, data);
  if (json) printJson(data);
  else print(`Wrote ${file ?? ''}`);
}

async function drillOf({ workflow }: Client, workflowId: string, run: string): Promise<string> {
  const { startTime, type } = await workflow.getHandle(workflowId, run).describe();
  if ((type as WorkflowType) === 'drDrill') return backupId(startTime.toISOString(), run);
  throw new Complaint('usage', `run ${run} is a ${type}: expected a drDrill`, [
    'Name the drill itself: rollout drills --report <file> --drill <id>',
  ]);
}
