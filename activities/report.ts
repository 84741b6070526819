import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { renderPage } from '../model/report/render-report.js';
import type { ReportData } from '../model/report.js';
import type { EvidenceActivities } from '../model/work.js';
import { contextFor, heartbeating } from './context.js';
import type { Dependencies } from './dependencies.js';

/** Asks the operation and its children for all they know, and writes report.html and report.json. */
export const writeReport =
  (dependencies: Dependencies): EvidenceActivities['writeReport'] =>
  (input) =>
    heartbeating(async () => {
      const { folder } = await contextFor(dependencies, input);
      return { file: await writeFiles(folder, await dependencies.collectReport(input.workflowId, input.runId)) };
    });

/** @returns the one for people */
export async function writeFiles(folder: string, data: ReportData): Promise<string> {
  const file = join(folder, 'report.html');
  await writeFile(join(folder, 'report.json'), JSON.stringify(data, null, 2), { mode: 0o600 });
  await writeFile(file, renderPage(data).blocks(), { mode: 0o600 });
  return file;
}
