import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkflowHandle } from '@temporalio/client';
import { readFollow } from '../../activities/see-standbys.js';
import { formatDuration, formatSize } from '../../model/duration.js';
import type { FollowState } from '../../model/follow-state.js';
import type { OperationStatus } from '../../model/operation.js';
import { newerCommands } from './customer.js';
import type { Traffic } from './traffic.js';

/** How long the application uses what the release of before doesn't know, ms. */
const NEWER_MS = 10_000;

export interface TakingBack {
  handle: WorkflowHandle;
  traffic: Traffic;
  /** Where the followers write down how far they are. */
  state: string;
  /** Who asks for it. */
  by: string;
  tell: (line: string) => void;
  signal: AbortSignal;
}

/** What an operator does in the soak of an upgrade that turns out badly; the operation does the rest. */
export async function takeBack(
  { from, to, fallback, deployment }: OperationStatus,
  { handle, traffic, state, by, tell, signal }: TakingBack,
): Promise<void> {
  const standbys = fallback?.standbys ?? [];
  tell(`every node runs Redis ${to}, and is to soak for an hour; its way back is ${fallback?.class ?? 'not known'}:`);
  for (const { shard, address, release } of standbys)
    tell(
      `  ${address} on ${release} is given every write of ${shard}, rewritten where ${release} would not understand`,
    );
  tell(`for ${formatDuration(NEWER_MS)} the application uses what ${from} doesn't know: ${newerCommands}`);
  await traffic.useNewer(true);
  await sleep(NEWER_MS, undefined, { signal });
  await traffic.useNewer(false);
  tell(`it was ${traffic.newer.toLocaleString('en')} such commands; behind their primaries now are`);
  for (const { shard, address } of standbys) {
    const follow = await readFollow(join(state, deployment), shard);
    tell(`  ${address} of ${shard}: ${follow ? howFar(follow) : 'nobody knows how far'}`);
  }
  tell(
    `the application is set back first, since ${from} would refuse those commands; then ${by} takes the upgrade back`,
  );
  const reason = 'checkout is slower than before';
  tell(await handle.executeUpdate<string, [unknown]>('fallback', { args: [{ by, reason }] }));
}

const howFar = ({ phase, waitsFor, lagBytes, lagMs, lagMsMax }: FollowState): string =>
  phase === 'following'
    ? `${formatSize(lagBytes)}, ${formatDuration(lagMs)}; ${formatDuration(lagMsMax)} at most so far`
    : `${phase}${waitsFor === undefined ? '' : `: ${waitsFor}`}`;
