import type { Command } from 'commander';
import type { z } from 'zod';
import { controlSchemas, inputProblems, workflowSchemas } from '../../../model/inputs.js';
import { operationId, TASK_QUEUE } from '../../../model/names.js';
import type { TemporalAccess } from '../../../workers/client.js';
import { command, shared } from '../command.js';
import { Complaint } from '../complaint.js';
import { identity } from '../identity.js';
import { withTemporal, workflowIdOf } from '../temporal.js';
import { note, print, printJson, printJsonLine } from '../terminal.js';
import { ANSWER_WITHIN, refusal } from './control.js';
import { settled } from '../settled.js';
import { alreadyRunning } from './start.js';
import { watch, type WatchOptions } from './watch.js';

interface FallbackOptions extends WatchOptions {
  as?: string;
  reason: string;
  shard?: string;
  restore?: true;
  watch?: true;
}

export function fallbackCommand(): Command {
  return command('fallback', {
    summary: 'take an upgrade back',
    description:
      'Takes an upgrade back to the release of before, at any step of it until it is finalized. A running upgrade ends at ' +
      'its next safe point and goes back within the same operation; where none runs, the fallback is started by itself. ' +
      'Shards that were not handed over yet get their replicas back; of the others the standby takes over (policy.fallback: ' +
      'standby). Where there is none, nothing is done, and what a restore would lose is said; with --restore people are asked ' +
      'whether the backup is to be restored (the approval restore), and nothing is touched before.',
    examples: [
      ['rollout fallback orders --reason "checkout is slower"', 'every shard'],
      ['rollout fallback orders --shard shard-2 --reason "odd latency"', 'one; the others stay as they are'],
      [
        'rollout fallback orders --restore --reason "it corrupts carts"',
        'without standbys: ask for a restore of the backup',
      ],
      ['rollout fallback orders --as ana --reason "drill" --watch', 'and follow it to its end'],
    ],
  })
    .argument('<deployment>', 'name of the deployment')
    .requiredOption('--reason <text>', 'why; goes on record, and into the report')
    .option('--shard <name>', 'this shard only')
    .option('--restore', 'shards without a standby: ask people whether their backups are to be restored')
    .addOption(shared.as())
    .option('--watch', 'follow it, as `rollout watch` does')
    .option('--exit-when-waiting', 'with --watch: leave with exit code 6 when it waits for a person')
    .option('--interval <duration>', 'with --watch: time between two looks', '1s')
    .action(fallback);
}

async function fallback(deployment: string, options: FallbackOptions): Promise<void> {
  const { reason, shard, restore } = options;
  const workflowId = workflowIdOf(deployment);
  if (workflowId !== operationId(deployment))
    throw new Complaint('usage', `'${deployment}' is the id of an operation: expected the name of a deployment`, [
      'A shard of it alone: rollout fallback orders --shard shard-2 --reason "…"',
    ]);
  const control = controlSchemas.fallback.safeParse({
    ...{ by: identity(options.as), reason },
    ...(shard === undefined ? {} : { shard }),
    ...(restore === undefined ? {} : { restore }),
  });
  if (!control.success)
    throw new Complaint('usage', `fallback can't be sent:\n${inputProblems(control.error, { reason, shard })}`);
  await withTemporal(async (temporal) => {
    const answer = await tellRunning(temporal, deployment, control.data);
    const said =
      answer === undefined ? await start(temporal, deployment, control.data) : { update: 'fallback', answer };
    const told = { workflowId, ...said };
    if (options.json && options.watch) printJsonLine({ type: 'started', ...told });
    else if (options.json) printJson(told);
    else
      print([
        answer ?? `Started ${workflowId}: the fallback of ${shard ?? 'every shard'}, as ${control.data.by}.`,
        ...(options.watch ? [] : [`Follow it: rollout watch ${deployment}`]),
      ]);
    if ('worker' in said && !said.worker)
      note('No worker has taken it yet. It goes on as soon as one runs: rollout worker');
    if (options.watch) await watch(temporal, deployment, { ...options, wanted: 'fell back' });
  });
}

type Control = z.output<typeof controlSchemas.fallback>;

/** @returns undefined where no operation runs */
async function tellRunning(
  temporal: TemporalAccess,
  deployment: string,
  control: Control,
): Promise<string | undefined> {
  const { WorkflowNotFoundError } = await import('@temporalio/client');
  const handle = temporal.client.workflow.getHandle(operationId(deployment));
  try {
    return await temporal.connection.withDeadline(Date.now() + ANSWER_WITHIN, () =>
      handle.executeUpdate<string, [unknown]>('fallback', { args: [control] }),
    );
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw await refusal(error, 'fallback', temporal);
  }
}

async function start(
  temporal: TemporalAccess,
  deployment: string,
  { by, reason, shard, restore = false }: Control,
): Promise<{ runId: string; input: unknown; worker: boolean }> {
  const { WorkflowExecutionAlreadyStartedError } = await import('@temporalio/client');
  const raw = { deployment, startedBy: by, reason, restore, shards: shard === undefined ? [] : [shard] };
  const input = workflowSchemas.fallback.safeParse(raw);
  if (!input.success)
    throw new Complaint('usage', `the fallback can't be started:\n${inputProblems(input.error, raw)}`);
  const handle = await temporal.client.workflow
    .start('fallback', {
      workflowId: operationId(deployment),
      taskQueue: TASK_QUEUE,
      args: [input.data],
      workflowIdConflictPolicy: 'FAIL',
      workflowIdReusePolicy: 'ALLOW_DUPLICATE',
      staticSummary: `${deployment}: fallback${shard === undefined ? '' : ` of ${shard}`}`,
    })
    .catch(async (error: unknown) => {
      // Somebody started an operation since none was found.
      throw error instanceof WorkflowExecutionAlreadyStartedError ? await alreadyRunning(temporal, deployment) : error;
    });
  return { runId: handle.firstExecutionRunId, input: input.data, worker: await settled(temporal, handle) };
}
