import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { splitAddress } from '../model/endpoint.js';
import type { GivenUp, RestoreRecord } from '../model/evidence.js';
import { RolloutError } from '../model/failures.js';
import { streamSince, windowOf } from '../model/restore.js';
import type { NodePlace } from '../model/work.js';
import type { FallbackActivities, ShardRestore } from '../model/fallback-work.js';
import { at, isSilent } from '../redis/connection.js';
import { parseInfo, releaseFromInfo } from '../redis/info.js';
import { appendOnlyAgain, readInfo } from '../redis/node.js';
import { poll } from '../redis/roles.js';
import { clusterFile } from '../redis/standby/cluster-file.js';
import { compareWithSnapshot } from '../redis/verify/against-snapshot.js';
import { forgetBefore, isPending, readBefore, UNTRUSTED, type Before } from './before.js';
import { contextFor, fenceAll, heartbeating, platformNode, type Context } from './context.js';
import type { Dependencies } from './dependencies.js';
import { BACKUP, bringBackup, giveUp, hasEnded } from './give-up.js';
import { identityFor, metByAll, replacesFormer } from './identity.js';
import { datasetFiles, originOf } from './origin.js';
import { mustBeItself } from './own-folder.js';
import { returnNode } from './return-node.js';
import { GIVEN_UP, replace } from './probe.js';
import { openRestorePoint } from './restore-point.js';
import { noteRestore, readRestores, type RestoreEntry } from './restore-registry.js';
import { whileItRuns } from './running.js';
import { outOfElection, startWithSettings } from './server.js';
import { loaded, take } from './standby-standing.js';
import { putBackRunning } from './take-back.js';
import { forgetWhereItIs, whereItIs } from './whereabouts.js';

/**
 * Nothing is to be written before what is there was compared: more replicas than any shard has. Both are put back with
 * everything else that the node ran with.
 */
const noWrites = ['--min-replicas-to-write', '1000', '--min-replicas-max-lag', '10'];

/** Where the cluster must be covered whole, it answers for no key while another shard is away, one that is restored too, ms. */
const SERVED_WITHIN_MS = 30 * 60_000;

type Tell = (progress: unknown) => void;

export const restoreShardActivity =
  (dependencies: Dependencies): FallbackActivities['restoreShard'] =>
  (input) =>
    heartbeating(async (tell) => restoreShard(await contextFor(dependencies, input), input, tell));

/**
 * Puts a shard's backup in the place of what its primary has, which is saved whole and kept aside first. Each attempt goes on
 * from what it finds: noted, ended, kept, started, compared.
 *
 * @throws RolloutError Stopped where nothing was done, or where a person has to look first; Different, StartFailed, …
 */
export async function restoreShard(context: Context, input: ShardRestore, tell: Tell): Promise<RestoreRecord> {
  const { shard, primary, to, backup } = input;
  const place = await whereItIs(context, primary);
  await takePrimary(context, place, tell);
  const origin = await originOf(context, place, to);
  const known = (await readRestores(context.deploymentFolder)).find((it) => it.shard === shard);
  const begun = known && !known.done ? known : undefined;
  if (begun?.saw && begun.primary !== primary)
    throw new RolloutError('Stopped', `${shard} is being restored at ${begun.primary} already: start again`);
  const running = await releaseAt(context, { place, entry: begun, tell });
  // An attempt whose answer was lost had come to its end.
  if (known?.done && running === origin.release && known.backup.sha256 === backup.sha256) return known.done;
  let entry = begun?.saw
    ? begun
    : await noteRestore(context.deploymentFolder, {
        ...{ shard, primary, to, backup },
        label: `given-up-${context.token.epoch}`,
      });
  if (running !== origin.release) {
    entry = await giveUp(context, { place, origin, entry, tell }, running);
    await noteGivenUp(context, entry);
    // Once it was written to, what it has is the truth, and the backup is not.
    if (entry.verified) await startWithSettings(context, place, origin, { files: [], arguments: [] });
    else entry = await startOnBackup(context, { place, origin, entry });
  } else if (!entry.kept)
    throw new RolloutError('Stopped', `${primary} runs ${running} already, and was not restored: nothing was done`);
  await mustBeItself(context, place, origin, origin.release);
  return whileItRuns(context, place, async () => {
    (await loaded(context, place, { tell })).close();
    await metByAll(context, place, origin.release);
    await replacesFormer(context, place, entry.former ?? []);
    // From then on it may be written to, and is no more as the backup.
    const verified =
      entry.verified ?? (await whileServed(context, place, tell, () => compare(context, place, entry, tell)));
    entry = await noteRestore(context.deploymentFolder, { ...entry, verified });
    await giveBack(context, place, origin);
    const { until } = keptOf(entry);
    const awayMs = entry.awayMs ?? Date.now() - Date.parse(until);
    entry = await noteRestore(context.deploymentFolder, { ...entry, awayMs });
    const replicas: RestoreRecord['replicas'] = [];
    for (const node of entry.replicas ?? [])
      replicas.push(
        await whileServed(context, place, tell, () => returnNode(context, { shard, node, primary, to }, tell)),
      );
    const done = recordOf(context, { place, entry, release: origin.release, verified, replicas, awayMs });
    await noteRestore(context.deploymentFolder, { ...entry, done });
    await forgetBeforeRestore(context, place);
    return done;
  });
}

/** A server that loads its dataset refuses even CLIENT LIST before 7.0: then it is waited for. */
async function takePrimary(context: Context, place: NodePlace, tell: Tell): Promise<void> {
  try {
    await fenceAll(context, [place]);
  } catch (error) {
    if (!(error instanceof Error) || !/^LOADING\b/.test(error.message)) throw error;
    await take(context, place, { tell });
  }
}

interface Restoring {
  place: NodePlace;
  entry: RestoreEntry | undefined;
  tell: Tell;
}

/** What runs there; undefined where nothing does. One that was told to end and still writes says nothing: it is waited for. */
async function releaseAt(context: Context, restoring: Restoring): Promise<string | undefined> {
  const { place, entry } = restoring;
  const { state } = await context.platform.inspect(platformNode(place));
  if (state === 'stopped') return undefined;
  try {
    await using connection = await context.connect(place.address);
    return releaseFromInfo(await readInfo(connection, 'server'));
  } catch (error) {
    if (!isSilent(error) || entry?.saw === undefined || entry.kept) throw error;
    await hasEnded(context, restoring);
    return undefined;
  }
}

async function startOnBackup(
  context: Context,
  { place, origin, entry }: { place: NodePlace; origin: Before; entry: RestoreEntry },
): Promise<RestoreEntry> {
  const { platform, token } = context;
  const node = platformNode(place);
  const { path, id, nodes, busPort, former } = await identityFor(context, place, origin.release);
  const noted =
    former === undefined
      ? entry
      : await noteRestore(context.deploymentFolder, { ...entry, former: [...(entry.former ?? []), former] });
  const { host, port } = splitAddress(place.address);
  const { text } = clusterFile({
    ...{
      nodes,
      primaryHost: host,
      release: origin.release,
      primary: former === undefined ? 'as it was' : 'under another id',
    },
    self: { id, host, port, busPort },
  });
  // With an append-only file there, of the newer release's making, no server would look at the backup.
  await platform.setAside(node, token, { label: UNTRUSTED, files: datasetFiles(place, origin) });
  const brought = { label: BACKUP, files: [place.datasetFile] };
  await platform.restore(node, token, brought).catch(async (error: unknown) => {
    // Somebody has removed it: the shard is down, and needs it.
    if (!(error instanceof RolloutError) || error.type !== 'BadInput') throw error;
    await bringBackup(context, place, entry);
    await platform.restore(node, token, brought);
  });
  const files = [{ path, text }];
  await startWithSettings(context, place, origin, { files, arguments: [...outOfElection, ...noWrites] });
  return noted;
}

/** Every key of the backup, by our own reading of both; or a sample of them, where the policy compares one. */
async function compare(
  context: Context,
  place: NodePlace,
  { shard, backup }: RestoreEntry,
  tell: Tell,
): Promise<RestoreRecord['verified']> {
  const { deployment, endpoint, signal } = context;
  const found = await compareWithSnapshot({
    ...{
      snapshot: (await openRestorePoint(context, backup))(),
      keys: backup.keys,
      node: at(endpoint, place.address),
      signal,
    },
    ...(deployment.policy.verify === 'sample' ? { sample: 10_000 } : {}),
    onProgress: (keys) => tell({ compared: keys, of: backup.keys }),
  });
  const { keys, expired, compared, examples } = found;
  const different = found.different + found.missing + found.others;
  if (different > 0)
    throw new RolloutError(
      'Different',
      `${shard}: ${different} keys at ${place.address} are not as in ${backup.file}: ${examples.join('; ')}. It takes no writes as it is`,
    );
  return { keys, expired, compared, different };
}

/** Writes are let in with this. */
async function giveBack(context: Context, place: NodePlace, origin: Before): Promise<void> {
  await using connection = await context.connectToAct(place);
  await putBackRunning(connection, origin);
  if (origin.running['appendonly'] === 'yes') await appendOnlyAgain(connection, { signal: context.signal });
}

/** It serves its slots: before that it answers for no key. */
async function served(context: Context, place: NodePlace, tell: Tell): Promise<void> {
  await using connection = await context.connect(place.address);
  const state = await poll(
    async () => {
      tell({ waits: `${place.address} sees the cluster whole` });
      return parseInfo(String(await connection.call('CLUSTER', 'INFO')))['cluster_state'];
    },
    (it) => it === 'ok',
    { everyMs: 50, withinMs: SERVED_WITHIN_MS, signal: context.signal },
  );
  const [role] = (await connection.call('ROLE')) as [string];
  if (role !== 'master')
    throw new RolloutError(
      'Stopped',
      `${place.address} was restored, and another node has taken over from it since: what that one has is newer, and stays`,
    );
  if (state !== 'ok')
    throw new RolloutError(
      'RolesUnsettled',
      `${place.address} is on its backup, and does not see every slot served after ${SERVED_WITHIN_MS / 60_000} min: look at the other shards. It takes no writes until it was compared`,
    );
}

/** While another shard is away, as in its own restore, no node answers for a key, and nothing can be compared. */
async function whileServed<T>(context: Context, place: NodePlace, tell: Tell, act: () => Promise<T>): Promise<T> {
  for (const deadline = Date.now() + SERVED_WITHIN_MS; ;) {
    await served(context, place, tell);
    try {
      return await act();
    } catch (error) {
      const isDown = error instanceof Error && error.message.includes('CLUSTERDOWN');
      if (!isDown || Date.now() > deadline) throw error;
      await sleep(500, undefined, { signal: context.signal });
    }
  }
}

async function forgetBeforeRestore(context: Context, place: NodePlace): Promise<void> {
  await context.platform.drop(platformNode(place), context.token, { label: BACKUP });
  if (isPending(await readBefore(context, place))) await forgetBefore(context, place);
  else await context.platform.drop(platformNode(place), context.token, { label: UNTRUSTED });
  await forgetWhereItIs(context, place.address);
}

function recordOf(
  context: Context,
  {
    place,
    entry,
    ...done
  }: { place: NodePlace; entry: RestoreEntry } & Pick<RestoreRecord, 'release' | 'verified' | 'replicas' | 'awayMs'>,
): RestoreRecord {
  const { shard, backup, label } = entry;
  const { replid, offset, keys, bytes } = keptOf(entry);
  const kept = { keys, bytes, ...(replid === undefined || offset === undefined ? {} : { replid, offset }) };
  const at = context.platform.keptAt(platformNode(place), { label });
  const keptAside = { node: place.address, at, ...kept };
  return { ...{ shard, node: place.address, backup, ...done }, lossWindow: windowAt(entry), keptAside };
}

function windowAt(entry: RestoreEntry): RestoreRecord['lossWindow'] {
  const { backup, saw } = entry;
  const { until, offset } = keptOf(entry);
  const since = saw && offset !== undefined ? { ...saw, master_repl_offset: String(offset) } : undefined;
  return windowOf(backup, until, since && streamSince(backup, since));
}

function keptOf({ shard, kept }: RestoreEntry): NonNullable<RestoreEntry['kept']> {
  if (kept) return kept;
  throw new RolloutError('Stopped', `what ${shard} had is not kept aside`);
}

/** The ledger of this operation is told: what the probe had acknowledged since then is given up, and not lost. */
async function noteGivenUp(context: Context, entry: RestoreEntry): Promise<void> {
  const path = join(context.folder, GIVEN_UP);
  const text = await readFile(path, 'utf8').catch(() => '[]');
  const { from, until } = windowAt(entry);
  const others = (JSON.parse(text) as GivenUp[]).filter(({ shard }) => shard !== entry.shard);
  await replace(path, JSON.stringify([...others, { shard: entry.shard, from, until }] satisfies GivenUp[]));
}
