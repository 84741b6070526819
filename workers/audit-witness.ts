import { WorkflowNotFoundError, type WorkflowClient } from '@temporalio/client';
import type { AuditEntry, Digest } from '../model/audit/entry.js';
import { eventsOf } from '../model/audit/events.js';
import type { Witness } from '../model/audit/verify.js';
import { collectReport } from './collect-report.js';

/**
 * What Temporal's own histories say of the operations that a trail speaks of; `undefined` of one that it keeps no longer.
 * A worker has to run: it answers from the histories.
 */
export async function witnessesOf(
  client: WorkflowClient,
  entries: readonly AuditEntry[],
  digest: Digest,
): Promise<(Witness | undefined)[]> {
  const runs = new Map(entries.map(({ run, operation }) => [run, operation]));
  const witnesses: (Witness | undefined)[] = [];
  for (const [run, operation] of runs) witnesses.push(await witness(client, { run, operation }, digest));
  return witnesses;
}

async function witness(
  client: WorkflowClient,
  { run, operation }: { run: string; operation: string },
  digest: Digest,
): Promise<Witness | undefined> {
  try {
    const report = await collectReport(client, operation, run);
    const { audit, endedAt } = report.status;
    return {
      ...{ run, events: eventsOf(report, run, digest), ended: endedAt !== undefined },
      ...(audit ? { head: audit } : {}),
    };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}
