import { backupWorkflowId, TASK_QUEUE } from '../../../model/names.js';
import type { DeploymentFile } from '../../../model/deployment.js';
import type { DrillRecord } from '../../../model/drill.js';
import type { Sandbox } from '../../../scripts/sandbox/cluster.js';
import type { Stage } from '../../../scripts/sandbox/stage.js';
import { rollout, type CliResult } from '../../scripts/rollout/stage/cli.js';
import { encryption } from './backups.js';

/** The command with what the stage's worker knows. */
export function rolloutAt(stage: Stage, ...words: string[]): Promise<CliResult> {
  const at = { TEMPORAL_ADDRESS: stage.address, ROLLOUT_DEPLOYMENTS: stage.deployments };
  return rollout(words, { env: { ...stage.environment, ...at } });
}

/** `orders`, whose drills are quick and lose nothing by intent, if nothing else is said. */
export const deployDrilled = (stage: Stage, cluster: Sandbox, drill: DeploymentFile['drill'] = {}) =>
  stage.deploy('orders', cluster, {
    backup: { directory: `${stage.root}/backups`, encryption },
    drill: { nodeTimeout: '1500ms', failures: false, ...drill },
  });

/** A backup of `orders`. */
export const backUp = (stage: Stage): Promise<unknown> =>
  stage.client.workflow.execute('backup', {
    ...{ workflowId: backupWorkflowId('orders'), taskQueue: TASK_QUEUE, args: [{ deployment: 'orders' }] },
  });

/** @throws Error with what it said where it said nothing of a drill */
export async function drillAt(stage: Stage, ...words: string[]): Promise<DrillRecord> {
  const { stdout, stderr } = await rolloutAt(stage, 'drill', 'orders', '--as', 'ana', '--json', ...words);
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout) as DrillRecord;
}

export function foundBy({ steps }: DrillRecord, name: string): string {
  const step = steps.find((it) => it.name === name);
  return `${step?.result}: ${step?.found}`;
}
