import { activityInfo } from '@temporalio/activity';
import { RolloutError } from '../model/failures.js';
import type { VerifyResult } from '../model/evidence.js';
import type { EvidenceActivities, NodePlace } from '../model/work.js';
import { at } from '../redis/connection.js';
import { servingPrimary } from '../redis/roles.js';
import type { VerifyProgress } from '../redis/verify/progress.js';
import { verifyReplica } from '../redis/verify/verify-replica.js';
import { contextFor, heartbeating, type Context } from './context.js';
import type { Dependencies } from './dependencies.js';

/** Compares a replica with the primary that it has now: nothing is done to either, so neither is fenced. */
export const compareReplica =
  (dependencies: Dependencies): EvidenceActivities['compareReplica'] =>
  (input) =>
    heartbeating(async (progress) => compare(await contextFor(dependencies, input), input, progress));

/**
 * Compares a node with its primary, key by key: the one that serves now, whoever it was when the node was begun. Goes on
 * where an attempt that died had come to.
 */
export const verifyNode = async (
  context: Context,
  { place, primary, shard }: { place: NodePlace; primary: string; shard: string },
  progress: (details: unknown) => void,
): Promise<VerifyResult> =>
  compare(
    context,
    { shard, primary: await servingPrimary(context.endpoint, primary), replica: place.address },
    progress,
  );

async function compare(
  { deployment, endpoint, signal }: Context,
  { shard, primary, replica }: { shard: string; primary: string; replica: string },
  progress: (details: unknown) => void,
): Promise<VerifyResult> {
  const resumeFrom = activityInfo().heartbeatDetails as VerifyProgress | undefined;
  const result = await verifyReplica({
    shard,
    primary: at(endpoint, primary),
    replica: at(endpoint, replica),
    mode: deployment.policy.verify,
    ttlToleranceMs: deployment.policy.ttlTolerance,
    repairExpiries: deployment.policy.ttlRepair,
    onProgress: progress,
    signal,
    ...(resumeFrom ? { resumeFrom } : {}),
  });
  const told = differenceOf(result, primary, replica);
  if (told !== undefined) throw new RolloutError('Different', told);
  return result;
}

/** In words; undefined where all was compared and nothing differs. */
export function differenceOf(
  { different, keys, examples, complete, statement }: VerifyResult,
  primary: string,
  replica: string,
): string | undefined {
  if (different > 0) {
    const shown = examples.slice(0, 5).map(({ key, what }) => `${key} (${what})`);
    return `${replica} differs from ${primary} in ${different} of ${keys} keys: ${shown.join('; ')}`;
  }
  return complete === false
    ? `${replica} could not be compared whole with ${primary}: ${statement ?? 'it was given up'}`
    : undefined;
}
