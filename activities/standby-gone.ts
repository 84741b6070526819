import { rm } from 'node:fs/promises';
import { lineOf } from '../model/compatibility/release-lines.js';
import type { Context } from './context.js';
import { followFile } from './see-standbys.js';
import { readNamed } from './shard-names.js';
import { isGone, stillRuns } from './standby-folder.js';
import { readRegistry, type StandbyEntry } from './standby-registry.js';
import { takeAway } from './standby-removal.js';

/** What is left of a standby whose folder is gone: its server, its name among the members, what was noted of it. */
export async function forgetGone(context: Context, entry: StandbyEntry): Promise<void> {
  await endWithoutFolder(context, entry);
  await rm(followFile(context.deploymentFolder, entry.shard), { force: true });
  await takeAway(context, entry);
}

/** Its platform would look for its process by the folder. */
async function endWithoutFolder(context: Context, entry: StandbyEntry): Promise<void> {
  if (!(await stillRuns(context, entry))) return;
  await using connection = await context.connect(entry.address);
  await connection.call('SHUTDOWN', 'NOSAVE').catch(() => {
    // It ends without an answer.
  });
}

/**
 * The standbys that there are, without those that are gone and can be made anew: their primary runs their release still, or
 * another cluster has the deployment's name by now, whose members have never heard of them.
 */
export async function standbysThatAre(context: Context): Promise<StandbyEntry[]> {
  const entries = await readRegistry(context.deploymentFolder);
  const gone: StandbyEntry[] = [];
  for (const entry of entries) if (await isGone(context, entry)) gone.push(entry);
  if (gone.length === 0) return entries;
  // With all that the members know, the standbys themselves, too.
  const { topology, accounts } = await readNamed({ ...context, endpoint: { ...context.endpoint, standbys: [] } });
  const known = new Set(accounts.flatMap(({ peers }) => peers.map(({ id }) => id)));
  for (const entry of gone) {
    const release = topology.shards.find(({ name }) => name === entry.shard)?.primary.release;
    const isStrange = entry.nodeId === undefined || !known.has(entry.nodeId);
    // What served its shard is the fallback's to see to; of a newer primary none could be made again, and that is to be said.
    const anew = entry.state !== 'serving' && release !== undefined && lineOf(release) === lineOf(entry.release);
    if (isStrange || anew) await forgetGone(context, entry);
  }
  return readRegistry(context.deploymentFolder);
}
