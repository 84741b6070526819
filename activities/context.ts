import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { activityInfo, cancellationSignal, heartbeat } from '@temporalio/activity';
import { loadDeployment } from '../integrations/deployment-files.js';
import { endpointFor } from '../integrations/secrets.js';
import type { Deployment } from '../model/deployment.js';
import { RolloutError } from '../model/failures.js';
import type { StagingActivities } from '../model/staging-work.js';
import type { Activities, NodePlace, Order } from '../model/work.js';
import type { AssessmentActivities } from '../model/assessment/work.js';
import type { ArchiveActivities, BackupActivities, DrillActivities, RestoreActivities } from '../model/backup-work.js';
import type { FencingToken, Platform, PlatformNode } from '../platforms/platform.js';
import { processPlatform } from '../platforms/process/platform.js';
import { at, connect, type Endpoint, type NodeConnection } from '../redis/connection.js';
import { closeEarlier, openToAct } from './acting.js';
import type { Dependencies } from './dependencies.js';
import { hiddenBy, readRegistry } from './standby-registry.js';

/** One attempt at one activity: the deployment with its secrets resolved, its platform, and the right to act. */
export interface Context {
  deployment: Deployment;
  /** Holds secrets: never returned, never logged. */
  endpoint: Endpoint;
  platform: Platform;
  /** Folder of the operation, made if it isn't there. */
  folder: string;
  /** Of the deployment, what outlives operations. */
  deploymentFolder: string;
  token: FencingToken;
  signal: AbortSignal;
  /** For looking. What changes a node goes over `connectToAct`. */
  connect(address: string): Promise<NodeConnection>;
  /** For changing something at a node that this attempt has taken; refuses (Fenced) when a later attempt has it. */
  connectToAct(place: NodePlace): Promise<NodeConnection>;
}

export async function contextFor({ deployments, state }: Dependencies, order: Order): Promise<Context> {
  const { deployment, endpoint: found } = await readAnew(order.deployment, deployments);
  const deploymentFolder = join(state, order.deployment);
  const endpoint = { ...found, ...hiddenBy(await readRegistry(deploymentFolder)) };
  const folder = join(state, order.operation);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const platform = platformFor(deployment);
  const token = fencingToken();
  const signal = cancellationSignal();
  const look = (address: string): Promise<NodeConnection> => connect(at(endpoint, address));
  return {
    deployment,
    endpoint,
    platform,
    folder,
    deploymentFolder,
    token,
    signal,
    connect: look,
    connectToAct: (place) => {
      signal.throwIfAborted();
      const fence = (): Promise<void> => platform.fence(platformNode(place), token);
      return openToAct(token, () => look(place.address), fence);
    },
  };
}

/**
 * File and secrets as they are now. Once something has begun, what can't be read is no answer: it is mended, and another
 * attempt goes on.
 */
async function readAnew(name: string, folder: string): Promise<{ deployment: Deployment; endpoint: Endpoint }> {
  try {
    const deployment = await loadDeployment(name, folder);
    return { deployment, endpoint: await endpointFor(deployment) };
  } catch (error) {
    throw firstLooks.includes(activityInfo().activityType) ? error : unreadable(error);
  }
}

/** Nothing has begun by then. */
const firstLooks: readonly string[] = [
  'assess',
  'assessFallback',
  'beginBackup',
  'readBackup',
  'planPrune',
  'beginRestore',
  'resolvePoint',
  'beginArchive',
  'planDrill',
  'beginAssessment',
  'beginStaging',
] satisfies (keyof (Activities &
  ArchiveActivities &
  AssessmentActivities &
  BackupActivities &
  DrillActivities &
  RestoreActivities &
  StagingActivities))[];

/** For another try. */
export const unreadable = (error: unknown): unknown =>
  error instanceof RolloutError ? new RolloutError('Unreadable', error.message, { cause: error }) : error;

export const platformFor = (deployment: Deployment): Platform => processPlatform(deployment.platform);

/**
 * Greater for each later attempt, by the Temporal server's clock and not by a worker's: an attempt that hung and wakes
 * after its lease has gone to another is refused by the node's fence.
 */
function fencingToken(): FencingToken {
  const { currentAttemptScheduledTimestampMs, workflowExecution, activityId, attempt } = activityInfo();
  return {
    epoch: currentAttemptScheduledTimestampMs,
    holder: `${workflowExecution?.runId ?? 'no workflow'}/${activityId}/${attempt}`,
  };
}

export function platformNode({ address, home, configurationFile, logFile, pid }: NodePlace): PlatformNode {
  return {
    address,
    home,
    configurationFile,
    ...(logFile === undefined ? {} : { logFile }),
    ...(pid === undefined ? {} : { pid }),
  };
}

/**
 * Heartbeats while something takes its time, so that an attempt whose worker died is given to another soon. Until it has something
 * to say it repeats what the attempt before it said last: where this one dies early, the next goes on from there.
 */
export async function heartbeating<T>(
  act: (progress: (details: unknown) => void) => Promise<T>,
  first: unknown = activityInfo().heartbeatDetails,
): Promise<T> {
  let details = first;
  const timer = setInterval(() => heartbeat(details), (activityInfo().heartbeatTimeoutMs ?? 10_000) / 5);
  try {
    return await act((latest) => {
      details = latest;
      heartbeat(latest);
    });
  } finally {
    clearInterval(timer);
  }
}

/** Takes nodes for this attempt before it changes anything: an earlier one that wakes up late finds itself shut out. */
export async function fenceAll(context: Context, places: readonly NodePlace[]): Promise<void> {
  await Promise.all(
    places.map(async (place) => {
      await context.platform.fence(platformNode(place), context.token);
      await closeEarlier(context.token, () => context.connect(place.address));
    }),
  );
}
