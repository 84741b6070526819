import type { Command } from 'commander';
import { loadDeployment } from '../../../integrations/deployment-files.js';
import type { DrillRecord } from '../../../model/drill.js';
import { inputProblems, workflowSchemas } from '../../../model/inputs.js';
import { drillWorkflowId } from '../../../model/names.js';
import { command, shared } from '../command.js';
import { Complaint } from '../complaint.js';
import { identity } from '../identity.js';
import { resultOf, startShort } from '../run-to-end.js';
import { withTemporal } from '../temporal.js';
import { print, printJson, widthOf } from '../terminal.js';
import { drillsView, drillView } from '../views/drill-view.js';

/** Drills of the past that are listed. */
const LISTED = 50;

export function drillCommand(): Command {
  return command('drill', {
    summary: 'rehearse a disaster: restore a backup into a cluster that is thrown away, and measure it',
    description:
      'The worker starts a cluster on its own machine, restores a backup into it, compares every key with the backup, runs the ' +
      'checks of the deployment file, kills a primary, loses a shard and restores it, measures all of that against drill.objectives, ' +
      'and throws the cluster away. No node of the deployment is touched. What came of it is kept beside the backups.',
    examples: [
      ['rollout drill orders', 'with the newest backup'],
      ['rollout drill orders --backup 20261129T231400Z-1a2b3c4d', 'with this one'],
      ['rollout drills orders', 'what came of the last ones'],
    ],
  })
    .argument('<deployment>', 'name of the deployment')
    .option('--backup <id>', 'which, as `rollout backups` lists it; the newest by default')
    .option('--no-wait', 'leave once it is started')
    .addOption(shared.as())
    .action(drill);
}

async function drill(
  deployment: string,
  { as, backup, wait, json }: { as?: string; backup?: string; wait: boolean; json?: true },
): Promise<void> {
  const raw = { deployment, startedBy: identity(as), ...(backup === undefined ? {} : { backup }) };
  const input = workflowSchemas.drDrill.safeParse(raw);
  if (!input.success) throw new Complaint('usage', `no drill can be held:\n${inputProblems(input.error, raw)}`);
  await withTemporal(async (temporal) => {
    const workflowId = drillWorkflowId(deployment);
    const what = `a drill of ${deployment}`;
    const started = await startShort(temporal, { type: 'drDrill', workflowId, input: input.data, what });
    if (!wait) {
      if (json) printJson({ ...started, input: input.data });
      else print(`Started ${workflowId}. See what comes of it: rollout drills ${deployment}`);
      return;
    }
    const record = await resultOf<DrillRecord>(temporal, started);
    if (json) printJson(record);
    else print(drillView(record, { width: widthOf(process.stdout) }));
    if (!record.passed)
      throw new Complaint('stopped', `the drill of ${deployment} failed`, [`See: rollout drills ${deployment}`]);
  });
}

export function drillsCommand(): Command {
  return command('drills', {
    summary: 'what came of the drills, and where recovery goes',
    description:
      `Reads the deployment’s target: the last ${LISTED} drills with recovery time and recovery point, and what failed. ` +
      'No Temporal is needed, and no key.',
    examples: [
      ['rollout drills orders', 'the newest first'],
      ['rollout drills orders --json | jq ".drills[0].steps"', 'step by step'],
    ],
  })
    .argument('<deployment>', 'name of the deployment')
    .action(drills);
}

async function drills(name: string, { json }: { json?: true }): Promise<void> {
  const deployment = await loadDeployment(name);
  const { DrillRecords } = await import('../../../integrations/drill-records.js');
  const records = await DrillRecords.open(deployment);
  const all = await records.newest(LISTED);
  if (json) printJson({ deployment: name, target: records.name, drills: all });
  else
    print(drillsView(all, { deployment: name, target: records.name, now: Date.now(), width: widthOf(process.stdout) }));
}
