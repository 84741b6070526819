import { join } from 'node:path';
import { formatSize } from '../model/duration.js';
import { splitAddress } from '../model/endpoint.js';
import { RolloutError } from '../model/failures.js';
import { satisfies } from '../model/release.js';
import type { NodePlace } from '../model/work.js';
import { parseClusterNodes } from '../redis/cluster-nodes.js';
import { isSilent } from '../redis/connection.js';
import { noFailover, readInfo, setDirective, shutDownSaving } from '../redis/node.js';
import { poll } from '../redis/roles.js';
import { missingForRestore } from '../redis/permissions.js';
import { checking, checkSnapshot, releaseFromAux } from '../redis/snapshot.js';
import { ownLine } from '../redis/standby/cluster-file.js';
import { forgetBefore, isPending, readBefore, writeBefore, type Before } from './before.js';
import { fenceAll, platformNode, type Context } from './context.js';
import { placeBeside } from './neighbours.js';
import { originOf } from './origin.js';
import { openRestorePoint } from './restore-point.js';
import { dropRestore, noteRestore, type RestoreEntry } from './restore-registry.js';
import { connectForLong } from './standby-standing.js';
import { whereItIs } from './whereabouts.js';

/** Under which the backup lies beside the primary before that is ended: what it serves from is there by then. */
export const BACKUP = 'backup';

/** A server that writes a large dataset at its end takes as long as its disk. */
const ENDS_WITHIN_MS = 6 * 3_600_000;
/** Replication is known only to the second by a file without an offset. */
const CLOCK_MS = 1000;

interface GivingUp {
  place: NodePlace;
  origin: Before;
  entry: RestoreEntry;
  tell: (progress: unknown) => void;
}

/**
 * Ends a shard's primary in such a way that everything that it ever acknowledged is in its file, and keeps that file aside.
 * Its replicas are kept from taking over meanwhile. Where it can't be written, the primary serves on, and all is as before.
 *
 * @param running what runs there; undefined where it has ended
 * @throws RolloutError before anything was done: BackupFailed where the backup is not what it was, NoSpace, MissingServer
 */
export async function giveUp(context: Context, giving: GivingUp, running: string | undefined): Promise<RestoreEntry> {
  let { entry } = giving;
  if (running !== undefined) {
    // Whatever an earlier attempt kept, it serves again: what it has now is the newest.
    const { shard, primary, to, backup } = entry;
    entry = { shard, primary, to, backup, label: `given-up-${context.token.epoch}` };
    await mayEnd(context, giving);
    await bringBackup(context, giving.place, entry);
    entry = await end(context, { ...giving, entry });
  }
  if (entry.kept) return entry;
  if (!entry.saw)
    throw new RolloutError(
      'Stopped',
      `${giving.place.address} is down, and was not ended for its restore: start it again, or let a replica take over, so that what it has is kept`,
    );
  return keepAside(context, giving.place, entry);
}

/** All that can be looked at before anything is touched. */
async function mayEnd(context: Context, { place, origin, entry: { backup } }: GivingUp): Promise<void> {
  const { platform } = context;
  const releases = await platform.releases();
  if (!releases.includes(origin.release))
    throw new RolloutError(
      'MissingServer',
      `no server of ${origin.release} is at hand; there are ${releases.join(', ') || 'none'}`,
    );
  await using connection = await context.connect(place.address);
  const [role] = (await connection.call('ROLE')) as [string];
  if (role !== 'master')
    throw new RolloutError('Stopped', `${place.address} serves no more: start again, with whoever serves now`);
  const refused = await missingForRestore(connection);
  if (refused.length > 0)
    throw new RolloutError(
      'MissingPermission',
      `${connection.address}: a restore needs ${refused.join(', ')}; nothing was done`,
    );
  const needed = Number((await readInfo(connection, 'memory'))['used_memory'] ?? 0) + backup.bytes;
  const { diskFree } = await platform.resources(platformNode(place));
  if (diskFree < needed)
    throw new RolloutError(
      'NoSpace',
      `${place.address}: ${formatSize(diskFree)} free on the disk of ${place.home}; ${formatSize(needed)} are needed for what it has, which is kept, beside its backup`,
    );
}

/**
 * Puts the backup beside the primary, where it is what was taken.
 *
 * @throws RolloutError Stopped, BackupFailed, Damaged, Unauthorized, …: nothing was done
 */
export async function bringBackup(context: Context, place: NodePlace, { backup, to }: RestoreEntry): Promise<void> {
  const open = await openRestorePoint(context, backup);
  async function* content(): AsyncGenerator<Buffer, void, void> {
    const { sha256, summary } = yield* checking(backup.file, open());
    if (sha256 !== backup.sha256)
      throw new RolloutError(
        'Stopped',
        `${backup.file} is not the backup that was taken (SHA-256 ${sha256}, expected ${backup.sha256}): nothing was done`,
      );
    const wrote = releaseFromAux(summary.aux);
    if (wrote !== undefined && !satisfies(wrote, to))
      throw new RolloutError('Stopped', `${backup.file} was written by ${wrote}, and not by ${to}: nothing was done`);
  }
  const brought = { label: BACKUP, file: place.datasetFile, content: content() };
  await context.platform.bringIn(platformNode(place), context.token, brought);
}

async function end(context: Context, giving: GivingUp): Promise<RestoreEntry> {
  const { place, entry } = giving;
  const replicas = await holdReplicas(context, giving);
  let noted: RestoreEntry;
  try {
    await using connection = await connectForLong(context, place);
    const info = await readInfo(connection, 'replication');
    const field = (name: string): string => info[name] ?? '';
    const saw = {
      ...{ master_replid: field('master_replid'), master_replid2: field('master_replid2') },
      ...{ master_repl_offset: field('master_repl_offset'), second_repl_offset: field('second_repl_offset') },
    };
    noted = await noteRestore(context.deploymentFolder, {
      ...{ ...entry, saw, endedAt: Date.now() },
      replicas: replicas.map(({ address }) => address),
    });
    await shutDownSaving(connection);
  } catch (error) {
    if (error instanceof RolloutError && !isSilent(error)) {
      // Refused: it serves on, and nobody shall find its replicas unfit.
      await letGo(context, replicas);
      await dropRestore(context.deploymentFolder, entry.shard);
    }
    throw error;
  }
  await hasEnded(context, giving);
  return noted;
}

/** Waits for one that was told to end, and writes; never ends it otherwise. */
export async function hasEnded(context: Context, { place, tell }: Pick<GivingUp, 'place' | 'tell'>): Promise<void> {
  const ended = await poll(
    async () => {
      tell({ waits: `${place.address} writes what it has, and ends` });
      return (await context.platform.inspect(platformNode(place))).state;
    },
    (state) => state === 'stopped',
    { everyMs: 50, withinMs: ENDS_WITHIN_MS, signal: context.signal },
  );
  if (ended !== 'stopped') throw new RolloutError('NodeHung', `${place.address} was told to end and has not`);
}

type Held = NodePlace & { answers: boolean };

/** Of whom nobody may be elected while the primary is away; one that does not answer is ended, and comes back empty. */
async function holdReplicas(context: Context, { place, entry }: GivingUp): Promise<Held[]> {
  await using primary = await context.connect(place.address);
  const nodes = String(await primary.call('CLUSTER', 'NODES'));
  const { owner } = ownLine(nodes);
  const members = parseClusterNodes(nodes, splitAddress(place.address).host);
  const replicas = members.filter(({ primaryId }) => primaryId === owner);
  const held: Held[] = [];
  for (const { address } of replicas) {
    const known = await whereItIs(context, address).catch(async (error: unknown) => {
      const beside = await placeBeside(context, place.address, address);
      if (!beside) throw error;
      return beside;
    });
    await fenceAll(context, [known]);
    const origin = await originOf(context, known, entry.to);
    if (!isPending(await readBefore(context, known))) await writeBefore(context, known, origin);
    try {
      await using acting = await context.connectToAct(known);
      await setDirective(acting, noFailover, 'yes');
      held.push({ ...known, answers: true });
    } catch (error) {
      if (!isSilent(error)) throw error;
      await context.platform.stop(platformNode(known), context.token, { terminate: true });
      held.push({ ...known, answers: false });
    }
  }
  return held;
}

async function letGo(context: Context, replicas: readonly Held[]): Promise<void> {
  for (const { answers, ...place } of replicas) {
    if (!answers) continue;
    const before = await readBefore(context, place);
    await using acting = await context.connectToAct(place);
    await setDirective(acting, noFailover, before?.running[noFailover] ?? 'no');
    await forgetBefore(context, place);
  }
}

/** The file that it wrote at its end, and nothing older. */
async function keepAside(context: Context, place: NodePlace, entry: RestoreEntry): Promise<RestoreEntry> {
  const { label, saw, endedAt = 0 } = entry;
  const node = platformNode(place);
  await context.platform.keep(node, context.token, { label, files: [place.datasetFile, place.clusterFile] });
  const file = join(context.platform.keptAt(node, { label }), place.datasetFile);
  const found = await checkSnapshot(file).catch((error: unknown) => {
    throw new RolloutError('Stopped', `${notWhole(place)}: ${error instanceof Error ? error.message : String(error)}`);
  });
  const old =
    found.offset === undefined
      ? Number(found.summary.aux['ctime'] ?? 0) * 1000 < endedAt - CLOCK_MS
      : found.replid !== saw?.master_replid || found.offset < Number(saw?.master_repl_offset);
  if (old)
    throw new RolloutError('Stopped', `${notWhole(place)}: its file is older (offset ${found.offset ?? 'unknown'})`);
  const { replid, offset, keys, bytes } = found;
  const kept = {
    ...{ keys, bytes, until: new Date().toISOString() },
    ...(replid === undefined || offset === undefined ? {} : { replid, offset }),
  };
  return noteRestore(context.deploymentFolder, { ...entry, kept });
}

const notWhole = ({ address }: NodePlace): string =>
  `${address} ended without having written all that it had, so nothing is put in its place. Let one of its replicas take over (CLUSTER FAILOVER TAKEOVER there), or start it again if it has an append-only file; then start the fallback anew`;
