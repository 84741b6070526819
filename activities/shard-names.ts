import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Deployment } from '../model/deployment.js';
import { membersOf, nameByMembers, type ShardMembers } from '../model/shard-names.js';
import { eachNode } from '../model/in-parallel.js';
import { allNodes, type TopologyView } from '../model/topology.js';
import { locked } from '../platforms/process/lock.js';
import type { Endpoint } from '../redis/connection.js';
import { forgotten } from '../redis/seeds.js';
import { readAccounts, type Accounts } from '../redis/topology.js';
import { writeWhole } from './write-whole.js';

/** In the operation's folder, written by its first assessment: ids of each shard's nodes, and each node's address. */
const [FILE, ADDRESSES] = ['shards.json', 'members.json'];

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
  const stray = shard === undefined ? await forgottenOf({ endpoint, deployment, folder }, accounts) : [];
  const disagreements = [...topology.disagreements, ...stray];
  const { down } = accounts;
  return {
    ...accounts,
    ...(down ? { down: { ...down, disagreements: [...down.disagreements, ...stray] } } : {}),
    topology: { ...topology, disagreements, shards: nameByMembers(topology.shards, known) },
  };
}

/** Members from the beginning that nobody knows any more, and that don't know it; seeds are looked after as such. */
async function forgottenOf({ endpoint, deployment, folder }: Reading, { accounts }: Accounts): Promise<string[]> {
  const members = new Set(accounts.flatMap(({ node, peers }) => [node.id, ...peers.map(({ id }) => id)]));
  const missing = Object.entries((await readKept<Record<string, string>>(folder, ADDRESSES)) ?? {}).filter(
    ([id, address]) => !members.has(id) && !deployment.seeds.includes(address),
  );
  const found = await eachNode(missing, ([id, address]) => forgotten(endpoint, { id, address }, members));
  return found.filter((it) => it !== undefined);
}

/** Keeps who is in which shard for the rest of the operation; the first to say it is right. */
export async function noteNames({ folder }: Reading, { shards }: TopologyView): Promise<void> {
  if (await readNames(folder)) return;
  const addresses = Object.fromEntries(allNodes({ shards }).map(({ id, address }) => [id, address]));
  // Last what tells that all is there.
  await keep(folder, ADDRESSES, addresses);
  await keep(folder, FILE, membersOf(shards));
}

/** A member goes by another id from now on, and stays in its shard. */
export async function adopt(
  folder: string,
  { former, id, address }: { former: string; id: string; address: string },
): Promise<void> {
  await locked(join(folder, '.shards'), async () => {
    const known = await readNames(folder);
    if (!known) return;
    await keep(folder, ADDRESSES, { ...(await readKept<Record<string, string>>(folder, ADDRESSES)), [id]: address });
    const entries = Object.entries(known).map(([name, ids]) => [name, ids.includes(former) ? [...ids, id] : ids]);
    await keep(folder, FILE, Object.fromEntries(entries));
  });
}

/** Ids by which nodes of the operation go, or have gone. */
export const knownIds = async (folder: string): Promise<ReadonlySet<string>> =>
  new Set(Object.values((await readNames(folder)) ?? {}).flat());

const keep = (folder: string, name: string, content: unknown): Promise<void> =>
  writeWhole(join(folder, name), JSON.stringify(content));

const readNames = (folder: string): Promise<ShardMembers | undefined> => readKept(folder, FILE);

async function readKept<T>(folder: string, name: string): Promise<T | undefined> {
  try {
    return JSON.parse(await readFile(join(folder, name), 'utf8')) as T;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
