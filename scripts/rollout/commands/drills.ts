import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { loadDeployment } from '../../../integrations/deployment-files.js';
import { drillsProblem, type DrillRecord, type ListedDrill } from '../../../model/drill.js';
import type { DrillReportData } from '../../../model/report/render-drill.js';
import { drillEveryMs } from '../../../model/schedules.js';
import { command } from '../command.js';
import { Complaint } from '../complaint.js';
import { print, printJson, widthOf } from '../terminal.js';
import { drillsView } from '../views/drill-view.js';

/** Drills of the past that are listed; a report has all that are kept. */
const LISTED = 50;

export function drillsCommand(): Command {
  return command('drills', {
    summary: 'what came of the drills, and where recovery goes',
    description:
      `Reads the deployment’s target: the last ${LISTED} drills with recovery time and recovery point, and what failed. ` +
      'No Temporal is needed, and no key.',
    examples: [
      ['rollout drills orders', 'the newest first'],
      ['rollout drills orders --report drills.html', 'the newest step by step, and the trend of all, as one HTML file'],
      ['rollout drills orders --check', 'for monitoring: exit code 3 where somebody has to look'],
      ['rollout drills orders --json | jq ".drills[0].steps"', 'step by step'],
    ],
  })
    .argument('<deployment>', 'name of the deployment')
    .option('--report <file>', 'write the report of the newest one, with the trend of all, as one HTML file')
    .option('--drill <id>', 'with --report: of this one')
    .option(
      '--check',
      'exit code 3 where the newest failed, none was held, or none for twice as long as drill.schedule says',
    )
    .action(drills);
}

interface DrillsOptions {
  report?: string;
  drill?: string;
  check?: true;
  json?: true;
}

async function drills(name: string, { report, drill, check, json }: DrillsOptions): Promise<void> {
  if (drill !== undefined && report === undefined)
    throw new Complaint('usage', '--drill: expected --report <file> with it, found none');
  const { target, drills: all, schedule } = await readDrills(name, report === undefined ? LISTED : undefined);
  const listed = all.slice(0, LISTED);
  if (report !== undefined) await writeDrillReport(report, reportOf(name, all, drill));
  if (json) printJson({ deployment: name, target, drills: listed });
  else {
    print(drillsView(listed, { deployment: name, target, now: Date.now(), width: widthOf(process.stdout) }));
    if (report !== undefined) print(`Wrote ${report}`);
  }
  const everyMs = schedule && drillEveryMs(schedule);
  const problem = check && drillsProblem(all, { now: Date.now(), everyMs });
  if (problem !== undefined) throw new Complaint('stopped', `${name}: ${problem}`, [`Hold one: rollout drill ${name}`]);
}

/** @param most that are read; all that are kept where it is left out */
export async function readDrills(name: string, most?: number) {
  const deployment = await loadDeployment(name);
  const { DrillRecords } = await import('../../../integrations/drill-records.js');
  const records = await DrillRecords.open(deployment);
  const { keep, schedule } = deployment.drill;
  return { target: records.name, drills: await records.newest(most ?? keep), schedule };
}

/** @param id of a drill; the newest that can be read where it is left out. @throws Complaint where there is none */
export function reportOf(deployment: string, drills: readonly ListedDrill[], id?: string): DrillReportData {
  const drill = drills.find((it): it is DrillRecord => !('problem' in it) && (id === undefined || it.drill === id));
  if (drill) return { generatedAt: new Date().toISOString(), drill, drills };
  throw new Complaint(
    'refused',
    `there is no record of ${id === undefined ? 'a drill' : `drill ${id}`} of ${deployment}`,
    [`See which there are: rollout drills ${deployment}`],
  );
}

export async function writeDrillReport(file: string, data: DrillReportData): Promise<void> {
  const { renderDrill } = await import('../../../model/report/render-drill.js');
  await writeFile(resolve(file), renderDrill(data).blocks());
}
