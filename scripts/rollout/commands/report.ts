import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { command } from '../command.js';
import { withTemporal, workflowIdOf } from '../temporal.js';
import { note, print, printJson } from '../terminal.js';

interface ReportOptions {
  out?: string;
  run?: string;
  json?: true;
}

export function reportCommand(): Command {
  return command('report', {
    summary: 'write the report of an operation, running or ended',
    description:
      'One HTML file that needs no network: verdict, timeline, latency and write gaps per shard, gates, approvals, ' +
      'configuration and versions before and after, ledger and verification. A worker has to run: it answers the queries.',
    examples: [
      ['rollout report orders', 'writes orders-report.html'],
      ['rollout report orders --out /srv/reports/orders.html', 'elsewhere'],
      ['rollout report orders --run 0192f1c5-… --json', 'an earlier run of it, as JSON'],
    ],
  })
    .argument('<deployment>', 'name of the deployment, or id of the operation')
    .option('--out <file>', 'where to write it (default: <deployment>-report.html)')
    .option('--run <id>', 'run id of an earlier operation; the latest by default')
    .action(report);
}

async function report(deployment: string, { out, run, json }: ReportOptions): Promise<void> {
  const workflowId = workflowIdOf(deployment);
  const data = await withTemporal(async ({ client }) => {
    const { collectReport } = await import('../../../workers/collect-report.js');
    return collectReport(client.workflow, workflowId, run);
  });
  if (data.probe === undefined)
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
