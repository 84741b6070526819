import type { WorkflowHandle } from '@temporalio/client';
import type { Command } from 'commander';
import { inputProblems, upgradeInput, type UpgradeInput } from '../../../model/inputs.js';
import { operationId, searchAttributes, TASK_QUEUE } from '../../../model/names.js';
import { nameRelease } from '../../../model/release.js';
import type { OperationStatus } from '../../../model/operation.js';
import type { TemporalAccess } from '../../../workers/client.js';
import { command, shared } from '../command.js';
import { Complaint } from '../complaint.js';
import { identity } from '../identity.js';
import { readWithin } from '../read-status.js';
import { settled } from '../settled.js';
import { withTemporal, reasonOf } from '../temporal.js';
import { note, print, printJson, printJsonLine } from '../terminal.js';
import { clock, words } from '../views/status-view.js';
import { watch, type WatchOptions } from './watch.js';

interface StartOptions extends WatchOptions {
  to: string;
  via: string[];
  as?: string;
  watch?: true;
}

export function startCommand(): Command {
  return command('start', {
    summary: 'start an upgrade',
    description:
      'Starts the upgrade of a deployment: the worker reads the file of that name, assesses the cluster, and stops before ' +
      'anything is touched when a gate or the plan says no. One operation at a time: a second start is refused with exit ' +
      'code 4 and says what is running.',
    examples: [
      ['rollout start orders --to 8.0', 'to the newest 8.0 that the worker has'],
      ['rollout start orders --to 7.2 --via 7.0', 'in two hops, where one step is refused'],
      ['rollout start orders --to 8.0 --watch', 'and follow it to its end'],
      ['rollout start orders --to valkey-9.1 --as ana', 'ana does not count as an approver of it'],
    ],
  })
    .argument('<deployment>', 'name of a deployment file that the worker can read')
    .requiredOption('--to <release>', 'release to go to: 8.0, 7.2.4, valkey-9.1')
    .addOption(shared.via())
    .addOption(shared.as())
    .option('--watch', 'follow it, as `rollout watch` does')
    .option('--exit-when-waiting', 'with --watch: leave with exit code 6 when it waits for a person')
    .option('--interval <duration>', 'with --watch: time between two looks', '1s')
    .action(start);
}

async function start(deployment: string, options: StartOptions): Promise<void> {
  const raw = { deployment, to: options.to, via: options.via, startedBy: identity(options.as) };
  const input = upgradeInput.safeParse(raw);
  if (!input.success)
    throw new Complaint('usage', `the upgrade can't be started:\n${inputProblems(input.error, raw)}`, [
      'For example: rollout start orders --to 8.0',
    ]);
  await withTemporal(async (temporal) => {
    const handle = await startUpgrade(temporal, input.data);
    const running = await settled(temporal, handle);
    const { workflowId, firstExecutionRunId: runId } = handle;
    const started = { workflowId, runId, input: input.data, worker: running };
    if (options.json && options.watch) printJsonLine({ type: 'started', ...started });
    else if (options.json) printJson(started);
    else
      print([
        `Started ${workflowId}: ${deployment} ${arrows(input.data)}, as ${input.data.startedBy}.`,
        ...(options.watch ? [] : [`Follow it: rollout watch ${deployment}`]),
      ]);
    if (!running) note('No worker has taken it yet. It goes on as soon as one runs: rollout worker');
    if (options.watch) await watch(temporal, deployment, options);
  });
}

/** `→ Redis 7.0 → Redis 7.2` */
const arrows = ({ via, to }: UpgradeInput): string => [...via, to].map((stop) => `→ ${nameRelease(stop)}`).join(' ');

/** Starts the workflow under the id that is the deployment's lock. */
async function startUpgrade(
  temporal: TemporalAccess,
  input: UpgradeInput,
): Promise<WorkflowHandle & { firstExecutionRunId: string }> {
  const { WorkflowExecutionAlreadyStartedError } = await import('@temporalio/client');
  const { defineSearchAttributeKey, SearchAttributeType, TypedSearchAttributes } = await import('@temporalio/common');
  const keyword = (name: string) => defineSearchAttributeKey(name, SearchAttributeType.KEYWORD);
  const options = {
    workflowId: operationId(input.deployment),
    taskQueue: TASK_QUEUE,
    args: [input],
    workflowIdConflictPolicy: 'FAIL' as const,
    workflowIdReusePolicy: 'ALLOW_DUPLICATE' as const,
    staticSummary: `${input.deployment}: ${arrows(input)}, rolling`,
  };
  const attributes = new TypedSearchAttributes([
    { key: keyword(searchAttributes.deployment), value: input.deployment },
    { key: keyword(searchAttributes.operation), value: 'upgrade' },
    { key: keyword(searchAttributes.to), value: input.to },
  ]);
  const { workflow } = temporal.client;
  try {
    return await workflow
      .start('upgrade', { ...options, typedSearchAttributes: attributes })
      .catch((error: unknown) => {
        if (!/search attribute/i.test(reasonOf(error))) throw error;
        note(
          'This Temporal does not know our search attributes, so lists can’t be filtered by them: run `npm run setup`.',
        );
        return workflow.start('upgrade', options);
      });
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) throw await alreadyRunning(temporal, input.deployment);
    throw error;
  }
}

/** Names the operation that holds the lock: what it is, since when, by whom, where it stands, how to see it. */
export async function alreadyRunning(temporal: TemporalAccess, deployment: string): Promise<Complaint> {
  const handle = temporal.client.workflow.getHandle(operationId(deployment));
  const { type, startTime } = await handle.describe();
  const view = await readWithin(
    temporal,
    async () => ({ status: await handle.query<OperationStatus>('status'), timeline: [] }),
    3000,
  );
  const known = typeof view === 'string' ? undefined : view.status;
  return new Complaint(
    'refused',
    known === undefined
      ? `${deployment} has an operation already: ${words(type)}, since ${clock(startTime.toISOString())}; no worker answers, so more can't be said`
      : `${deployment} has an operation already: ${words(type)} ${known.from} → ${known.to}, since ${clock(known.startedAt)}, started by ${known.startedBy}, now ${known.phase}: ${known.reason}`,
    [`Watch it: rollout watch ${deployment}`, `Or end it first: rollout abort ${deployment}`],
  );
}
