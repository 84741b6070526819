import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { activityInfo, cancellationSignal, heartbeat } from '@temporalio/activity';
import { loadDeployment } from '../integrations/deployment-files.js';
import { endpointFor } from '../integrations/secrets.js';
import type { Deployment } from '../model/deployment.js';
import type { NodePlace, Order } from '../model/work.js';
import type { FencingToken, Platform, PlatformNode } from '../platforms/platform.js';
import { processPlatform } from '../platforms/process/platform.js';
import { at, connect, type Endpoint, type NodeConnection } from '../redis/connection.js';
import type { Dependencies } from './dependencies.js';

/** One attempt at one activity: the deployment with its secrets resolved, its platform, and the right to act. */
export interface Context {
  deployment: Deployment;
  /** Holds secrets: never returned, never logged. */
  endpoint: Endpoint;
  platform: Platform;
  /** Folder of the operation, made if it isn't there. */
  folder: string;
  token: FencingToken;
  signal: AbortSignal;
  connect(address: string): Promise<NodeConnection>;
}

export async function contextFor({ deployments, state }: Dependencies, order: Order): Promise<Context> {
  const deployment = await loadDeployment(order.deployment, deployments);
  const endpoint: Endpoint = await endpointFor(deployment);
  const folder = join(state, order.operation);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return {
    deployment,
    endpoint,
    platform: platformFor(deployment),
    folder,
    token: fencingToken(),
    signal: cancellationSignal(),
    connect: (address) => connect(at(endpoint, address)),
  };
}

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

/** Heartbeats while something takes its time, so that an attempt whose worker died is given to another soon. */
export async function heartbeating<T>(act: (progress: (details: unknown) => void) => Promise<T>): Promise<T> {
  let details: unknown;
  const timer = setInterval(() => heartbeat(details), 2000);
  try {
    return await act((latest) => {
      details = latest;
      heartbeat(latest);
    });
  } finally {
    clearInterval(timer);
  }
}

/** Takes the nodes for this attempt before it changes anything: an earlier one that wakes up late is refused here. */
export async function fenceAll({ platform, token }: Context, places: readonly NodePlace[]): Promise<void> {
  await Promise.all(places.map((place) => platform.fence(platformNode(place), token)));
}
