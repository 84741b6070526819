import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { WorkflowClient } from '@temporalio/client';
import { readFollow } from '../activities/see-standbys.js';
import { PROBE_REPORT } from '../activities/probe.js';
import type { AuditSource } from '../model/audit/events.js';
import type { ProbeReport } from '../model/evidence.js';
import type { FollowState } from '../model/follow-state.js';
import type { OperationStatus, TimelineEntry } from '../model/operation.js';
import type { Plan } from '../model/plan.js';
import { familyQuery } from '../model/names.js';
import type { Findings, OperationRecord, ReportData } from '../model/report.js';
import { mergeStatuses, mergeTimelines } from './merge-family.js';
import { findChildren, type Execution } from './read-operation.js';
import { readRetried } from './read-retried.js';
import { settleAll } from './settle-all.js';

/**
 * Everything that an operation and its children know of themselves, running or ended. The probe's findings are in a
 * file of the worker's machine: `probe` is absent where that can't be read from here.
 *
 * @param runId an earlier run of the same id; the latest by default
 * @throws what the client throws: WorkflowNotFoundError, or a ServiceError when no worker answers the queries
 */
export async function collectReport(client: WorkflowClient, workflowId: string, runId?: string): Promise<ReportData> {
  const root: Execution = runId === undefined ? { workflowId } : { workflowId, runId };
  const children = await findChildren(client, root);
  // Before the findings: nothing else is held meanwhile.
  const retries = await readRetried(client, [root, ...children]);
  const first = await readRoot(client, root);
  const others: Findings[] = [];
  // Some at a time: each may have to be replayed, and a worker answers only so many at once.
  for (let at = 0; at < children.length; at += AT_ONCE)
    others.push(
      ...(await settleAll(
        children
          .slice(at, at + AT_ONCE)
          .map(({ workflowId, runId: child }) => client.getHandle(workflowId, child).query<Findings>(familyQuery)),
      )),
    );
  const members = [first, ...others];
  const plan = await readPlan(client, root);
  const status = mergeStatuses(
    first.status,
    others.map((it) => it.status),
  );
  const probe = await readProbe(status.artefacts);
  const records = members.map(({ record }) => record);
  const cutovers = once(records.flatMap((it) => it.cutovers ?? []));
  const incidents = once(records.flatMap((it) => it.incidents ?? []));
  const restores = once(records.flatMap((it) => it.restores ?? []));
  const { validation } = first.record;
  const followers = await readFollowers(status);
  return {
    generatedAt: new Date().toISOString(),
    status,
    ...(plan ? { plan } : {}),
    timeline: mergeTimelines(members.map(({ timeline }) => timeline)),
    ...(probe ? { probe } : {}),
    verify: once(records.flatMap(({ verify }) => verify)),
    configuration: once(records.flatMap(({ configuration }) => configuration)),
    releases: once(records.flatMap(({ releases }) => releases)),
    resyncs: once(records.flatMap(({ resyncs }) => resyncs)),
    handovers: once(records.flatMap(({ handovers }) => handovers)).sort((a, b) => a.at.localeCompare(b.at)),
    backups: once(records.flatMap(({ backups }) => backups)),
    ...(cutovers.length === 0 ? {} : { cutovers }),
    ...(incidents.length === 0 ? {} : { incidents }),
    ...(restores.length === 0 ? {} : { restores }),
    ...(followers.length === 0 ? {} : { followers }),
    ...(validation ? { validation } : {}),
    retries,
  };
}

/** What the root alone knows of itself, while it goes on: of its end `collectReport` tells. @throws as that */
export async function collectRoot(client: WorkflowClient, workflowId: string, runId: string): Promise<AuditSource> {
  const { status, timeline, record } = await readRoot(client, { workflowId, runId });
  const plan = await readPlan(client, { workflowId, runId });
  delete status.endedAt;
  delete status.result;
  return { status, timeline, backups: record.backups, ...(plan ? { plan } : {}) };
}

const readPlan = (client: WorkflowClient, { workflowId, runId }: Execution): Promise<Plan | null | undefined> =>
  client.getHandle(workflowId, runId).query<Plan | null | undefined>('plan');

/** How many workflows are asked at once. */
const AT_ONCE = 10;

/**
 * Of the root, whose answers are the largest, each by itself: Temporal takes 2 MB for one. What an entry of the timeline rests
 * on (an answer, a backup) is asked for after it: somebody may answer in between. Never two at once (see `OperationReader`).
 */
async function readRoot(client: WorkflowClient, { workflowId, runId }: Execution): Promise<Findings> {
  const handle = client.getHandle(workflowId, runId);
  const timeline = await handle.query<TimelineEntry[]>('timeline');
  const status = await handle.query<OperationStatus>('status');
  return { status, timeline, record: await handle.query<OperationRecord>('record') };
}

/** A parent may have taken over its children's findings: each counts once. */
function once<T>(items: T[]): T[] {
  return [...new Map(items.map((item) => [JSON.stringify(item), item])).values()];
}

/** What each shard's follower wrote down last, where that can be read from here. */
async function readFollowers({ artefacts, shards }: OperationStatus): Promise<FollowState[]> {
  if (artefacts === '') return [];
  const found = await Promise.all(shards.map(({ shard }) => readFollow(artefacts, shard)));
  return found.filter((it) => it !== undefined);
}

async function readProbe(folder: string): Promise<ProbeReport | undefined> {
  if (folder === '') return undefined;
  try {
    return JSON.parse(await readFile(join(folder, PROBE_REPORT), 'utf8')) as ProbeReport;
  } catch {
    return undefined;
  }
}
