import { olderLine } from '../model/compatibility/release-lines.js';
import { splitAddress } from '../model/endpoint.js';
import { RolloutError } from '../model/failures.js';
import type { NodePlace } from '../model/work.js';
import type { FallbackActivities } from '../model/fallback-work.js';
import { isSilent, type NodeConnection } from '../redis/connection.js';
import { releaseFromInfo } from '../redis/info.js';
import { readInfo } from '../redis/node.js';
import { servingPrimary } from '../redis/roles.js';
import { clusterFile, ownLine } from '../redis/standby/cluster-file.js';
import { forgetBefore, isPending, readBefore, UNTRUSTED, writeBefore, type Before } from './before.js';
import { contextFor, fenceAll, heartbeating, platformNode, type Context } from './context.js';
import type { Dependencies } from './dependencies.js';
import { identityOfReplica, metByAll } from './identity.js';
import { datasetFiles, originOf } from './origin.js';
import { mustBeItself } from './own-folder.js';
import { rejoin, syncBaseline } from './rejoin.js';
import { whileItRuns } from './running.js';
import { endProcess, outOfElection, runs, startWithSettings } from './server.js';
import { putBackRunning } from './take-back.js';
import { verifyNode } from './verify.js';
import { whereItIs } from './whereabouts.js';

type Input = Pick<Parameters<FallbackActivities['returnNode']>[0], 'shard' | 'node' | 'primary' | 'to'>;
type Returned = Awaited<ReturnType<FallbackActivities['returnNode']>>;

export const returnNodeActivity =
  (dependencies: Dependencies): FallbackActivities['returnNode'] =>
  (input) =>
    heartbeating(async (progress) => {
      const context = await contextFor(dependencies, input);
      return returnNode(context, input, progress);
    });

/**
 * A node of a newer release, back on the one of before. Its dataset is of the newer one's making and is set aside, so it
 * comes back with nothing, is given everything by whoever serves the shard, and can't be promoted until it was compared.
 *
 * @throws RolloutError Stopped where it would have to follow a newer release, or serves itself; Different, NotCaughtUp, …
 */
export async function returnNode(
  context: Context,
  { shard, node, primary, to }: Input,
  progress: (details: unknown) => void,
): Promise<Returned> {
  const place = await whereItIs(context, node);
  await fenceAll(context, [place]);
  const origin = await originOf(context, place, to);
  const serving = await servingPrimary(context.endpoint, primary);
  if (serving === node)
    throw new RolloutError('Stopped', `${node} serves ${shard}: hand it over before it is brought back to ${to}`);
  await using upstream = await context.connect(serving);
  const above = releaseFromInfo(await readInfo(upstream, 'server'));
  if (olderLine(origin.release, above))
    throw new RolloutError(
      'Stopped',
      `${serving} runs ${above}: a node of ${origin.release} may not follow it (it would empty itself, or drop what it can't parse). Cut ${shard} over first`,
    );
  const baseline = await syncBaseline(upstream);
  if (!(await runs(context, place, origin.release))) {
    // From here on it is pending: whoever finds it down starts it as this says, empty.
    await writeBefore(context, place, origin);
    await startEmpty(context, { place, origin, upstream });
  }
  await mustBeItself(context, place, origin, origin.release);
  return await whileItRuns(context, place, async () => {
    await metByAll(context, place, origin.release);
    const resync = await rejoin(context, { place, primary: serving, baseline, shard, tell: progress });
    const verified = await verifyNode(context, { place, primary: serving, shard }, progress);
    await giveBack(context, place, origin);
    return { ...resync, release: origin.release, verified };
  });
}

async function startEmpty(
  context: Context,
  { place, origin, upstream }: { place: NodePlace; origin: Before; upstream: NodeConnection },
): Promise<void> {
  await end(context, place);
  const node = platformNode(place);
  const { path, id, busPort } = await identityOfReplica(context, place, origin.release);
  const { host, port } = splitAddress(place.address);
  const nodes = String(await upstream.call('CLUSTER', 'NODES'));
  const { text } = clusterFile({
    ...{ nodes, primaryHost: splitAddress(upstream.address).host, release: origin.release, replica: true },
    self: { id, host, port, busPort },
  });
  await context.platform.setAside(node, context.token, { label: UNTRUSTED, files: datasetFiles(place, origin) });
  await startWithSettings(context, place, origin, { files: [{ path, text }], arguments: outOfElection });
}

/** A replica; or a primary whose slots were taken from it, since it could not hear of who has them now. */
async function end(context: Context, place: NodePlace): Promise<void> {
  const { state } = await context.platform.inspect(platformNode(place));
  if (state === 'running' && (await servesNothing(context, place)))
    await context.platform.stop(platformNode(place), context.token, { terminate: true });
  else await endProcess(context, place);
}

async function servesNothing(context: Context, place: NodePlace): Promise<boolean> {
  try {
    await using connection = await context.connectToAct(place);
    const [role] = (await connection.call('ROLE')) as [string];
    const { ranges } = ownLine(String(await connection.call('CLUSTER', 'NODES')));
    return role === 'master' && ranges.length === 0;
  } catch (error) {
    // Of one that says nothing the others are asked before it is ended.
    if (isSilent(error)) return false;
    throw error;
  }
}

async function giveBack(context: Context, place: NodePlace, origin: Before): Promise<void> {
  {
    await using connection = await context.connectToAct(place);
    await putBackRunning(connection, origin);
  }
  if (isPending(await readBefore(context, place))) await forgetBefore(context, place);
}
