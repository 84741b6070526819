import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Deployment } from '../model/deployment.js';
import { membersOf, nameByMembers, type ShardMembers } from '../model/shard-names.js';
import type { TopologyView } from '../model/topology.js';
import type { Endpoint } from '../redis/connection.js';
import { readAccounts, type Accounts } from '../redis/topology.js';

/** In the operation's folder, written by its first assessment. */
const FILE = 'shards.json';

export interface Reading {
  endpoint: Endpoint;
  deployment: Pick<Deployment, 'seeds'>;
  folder: string;
}

/**
 * The cluster from every node's own view; its shards are called what they were when the operation began.
 *
 * @param shard only its nodes are read, and what they see of the others; the whole where it was never named
 */
export async function readNamed({ endpoint, deployment, folder }: Reading, shard?: string): Promise<Accounts> {
  const known = await readNames(folder);
  const accounts = await readAccounts(endpoint, deployment.seeds, shard === undefined ? undefined : known?.[shard]);
  if (!known) return accounts;
  const { topology } = accounts;
  return { ...accounts, topology: { ...topology, shards: nameByMembers(topology.shards, known) } };
}

/** Keeps who is in which shard for the rest of the operation; the first to say it is right. */
export async function noteNames({ folder }: Reading, { shards }: TopologyView): Promise<void> {
  if (await readNames(folder)) return;
  const path = join(folder, FILE);
  await writeFile(`${path}.partial`, JSON.stringify(membersOf(shards)), { mode: 0o600 });
  await rename(`${path}.partial`, path);
}

async function readNames(folder: string): Promise<ShardMembers | undefined> {
  try {
    return JSON.parse(await readFile(join(folder, FILE), 'utf8')) as ShardMembers;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
