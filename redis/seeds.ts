import { RolloutError } from '../model/failures.js';
import { eachNode } from '../model/in-parallel.js';
import { readAccount, type NodeAccount } from './account.js';
import type { KnownLines } from './cluster-nodes.js';
import { at, isSilent, type Endpoint } from './connection.js';

/** Where a reading of the cluster begins. */
export interface Entrance {
  account: NodeAccount;
  /** Seeds that answered before and see no slot served: what they see is no cluster to begin with. */
  passedBy: { seed: string; account: NodeAccount }[];
  /** Seeds that were not asked. */
  left: string[];
}

/**
 * Finds the first seed that answers and sees slots served; where none does, the first that answers.
 *
 * @throws RolloutError Unreachable, Unauthorized, … when no seed answers; BadInput when a seed is not a cluster node
 */
export async function enterBySeed(endpoint: Endpoint, seeds: readonly string[], known: KnownLines): Promise<Entrance> {
  const refusals: RolloutError[] = [];
  const empty: Entrance['passedBy'] = [];
  for (const [n, seed] of seeds.entries())
    try {
      const account = await readAccount(at(endpoint, seed), known);
      if (seesSlots(account)) return { account, passedBy: empty, left: seeds.slice(n + 1) };
      empty.push({ seed, account });
    } catch (error) {
      // Wrong password at one seed is wrong at all; only a seed that is away is worth another.
      if (!isSilent(error)) throw error;
      refusals.push(error);
    }
  const [first, ...others] = empty;
  if (first) return { account: first.account, passedBy: others, left: [] };
  if (refusals.length === 1 && refusals[0]) throw refusals[0];
  throw new RolloutError('Unreachable', `none of the seeds answers: ${refusals.map((it) => it.message).join('; ')}`);
}

/** A seed that answers: what it says of itself, or why it didn't tell. */
export type SeedAnswer = { seed: string } & (
  { account: NodeAccount; refusal?: never } | { refusal: string; account?: never }
);

/**
 * Asks the seeds that the first account doesn't know under the name by which they are written. In a healthy cluster these
 * are few or none; one that is away is left out, and costs a connection's deadline at most.
 */
export async function askOtherSeeds(
  endpoint: Endpoint,
  { account, passedBy, left }: Entrance,
  known: KnownLines,
): Promise<SeedAnswer[]> {
  const members = new Set(account.peers.map(({ address }) => address));
  const unknown = left.filter((seed) => !members.has(seed));
  const answers = await eachNode(unknown, async (seed): Promise<SeedAnswer[]> => {
    try {
      return [{ seed, account: await readAccount(at(endpoint, seed), known) }];
    } catch (error) {
      if (isSilent(error)) return [];
      return [{ seed, refusal: error instanceof Error ? error.message : String(error) }];
    }
  });
  return [...passedBy, ...answers.flat()];
}

/**
 * What is wrong with a seed that is no member: somebody had it forgotten (CLUSTER FORGET at all the others), or reset it,
 * or it never was one. None of the members says so, since none knows it. Undefined where it is one under another name.
 *
 * @param entrance address of the node that the cluster is read from
 * @param members ids of all that any member knows
 */
export function strayed(
  { seed, account, refusal }: SeedAnswer,
  entrance: string,
  members: ReadonlySet<string>,
): string | undefined {
  if (!account) return `${refusal}: it is one of seeds, set it right or take it out`;
  if (members.has(account.node.id)) return undefined;
  if (account.peers.some(({ id }) => members.has(id)))
    return `${seed}, one of seeds, is forgotten by every other node: let it join again (CLUSTER MEET), or take it out of seeds`;
  // Two clusters that meet become one, in which one's slots are gone.
  if (seesSlots(account))
    return `${seed}, one of seeds, belongs to another cluster than ${entrance}: take one out of seeds`;
  return `${seed}, one of seeds, doesn't belong to the cluster of ${entrance}: let it join (CLUSTER MEET), or take it out of seeds`;
}

/**
 * What is wrong with a node that was a member, and that no member knows any more: it runs on and takes itself for one.
 * Undefined where it was taken out for good: it has ended, or was reset, or is another's by now.
 */
export async function forgotten(
  endpoint: Endpoint,
  { id, address }: { id: string; address: string },
  members: ReadonlySet<string>,
): Promise<string | undefined> {
  try {
    const { node, peers } = await readAccount(at(endpoint, address));
    if (node.id !== id || !peers.some((peer) => members.has(peer.id))) return undefined;
    return `${address} is forgotten by every other node: let it join again (CLUSTER MEET), or end it where it is to stay out`;
  } catch (error) {
    if (error instanceof RolloutError) return undefined;
    throw error;
  }
}

const seesSlots = ({ peers }: NodeAccount): boolean => peers.some(({ slots }) => slots.length > 0);
