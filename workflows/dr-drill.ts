import { isCancellation, patched, setCurrentDetails, upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import type { SearchAttributePair } from '@temporalio/common';
import { backupId } from '../model/backup-manifest.js';
import type { DrillRecord } from '../model/drill.js';
import { partText } from '../model/drill-part.js';
import { inputProblems, workflowSchemas, type DrDrillInput } from '../model/inputs.js';
import { pointOf } from '../model/recovery-point.js';
import { parseSlotRange } from '../model/topology.js';
import type { Order } from '../model/work.js';
import type { DrillAsked, DrillPlan } from '../model/backup-work.js';
import { acts, first, rehearsal } from './backup-proxies.js';
import { badInput, messageOf, stopped } from './failure.js';
import { keyword } from './operation.js';

/**
 * A disaster, rehearsed: what the backups and the archive have is restored into a cluster that is thrown away, compared,
 * checked by the deployment's own commands and put to failures, and what that took is kept beside the backups. It touches
 * no node of the deployment.
 */
export async function drDrill(raw: unknown): Promise<DrillRecord> {
  const parsed = workflowSchemas.drDrill.safeParse(raw);
  if (!parsed.success) throw badInput('BadInput', `drDrill: ${inputProblems(parsed.error, raw)}`);
  const { deployment, startedBy } = parsed.data;
  const { runId, startTime } = workflowInfo();
  const startedAt = startTime.toISOString();
  const drill = backupId(startedAt, runId);
  const order = { deployment, operation: `${deployment}/${runId}` };
  let search: ((phase: string) => void) | undefined;
  try {
    const { searchable, shards, ...plan } = await planOf(order, parsed.data);
    if (searchable) search = (phase) => upsertSearchAttributes(attributesOf(deployment, phase));
    search?.('rehearsing');
    const what = whatOf(plan, shards);
    setCurrentDetails(`Drill of ${deployment}: restoring ${what} into a cluster of its own.`);
    const record = await rehearsal.rehearseRecovery.executeWithOptions(
      { summary: `restore ${plan.backup} and put it to failures` },
      [{ ...order, ...plan, drill, startedBy, startedAt }],
    );
    const result = record.passed ? 'passed' : 'failed';
    await acts.recordDrill.executeWithOptions({ summary: `record that it ${result}` }, [{ ...order, record }]);
    search?.(result);
    setCurrentDetails(`Drill of ${deployment} with ${what}: ${result}.`);
    return record;
  } catch (error) {
    if (isCancellation(error)) throw error;
    throw stopped(`the drill of ${deployment} came to no end: ${messageOf(error)}`, error);
  }
}

type Planned = Pick<DrillPlan, 'backup' | 'shards'> & Partial<DrillPlan>;

async function planOf(order: Order, input: DrDrillInput): Promise<Planned> {
  const { backup, at } = input;
  // A drill that was begun by an earlier worker knew backups only.
  if (!patched('drill-planned')) {
    const found = await first.readBackup.executeWithOptions({ summary: `find ${backup ?? 'the newest backup'}` }, [
      { ...order, ...(backup === undefined ? {} : { backup }) },
    ]);
    return { backup: found.backup, shards: found.shards.length };
  }
  const point = at === 'now' ? at : pointOf({ ...input, at });
  const asked: DrillAsked = {
    ...{ backup, point, sample: input.sample, shards: input.shards },
    slots: input.slots?.flatMap((text) => {
      const range = parseSlotRange(text);
      return range ? [range] : [];
    }),
  };
  const summary = point ? 'find the point, and where to begin' : `find ${backup ?? 'the newest that can be had'}`;
  return first.planDrill.executeWithOptions({ summary }, [{ ...order, ...asked }]);
}

function whatOf({ backup, point, part }: Omit<Planned, 'shards'>, shards: number): string {
  const of = part ? partText(part) : `${shards} ${shards === 1 ? 'shard' : 'shards'}`;
  return `backup ${backup}${point ? ` and the archive behind it (${point.asked})` : ''}, ${of}`;
}

const attributesOf = (deployment: string, phase: string): SearchAttributePair[] => [
  { key: keyword.deployment, value: deployment },
  { key: keyword.operation, value: 'drDrill' },
  { key: keyword.phase, value: phase },
];
