import { canPauseWrites } from '../../model/compatibility/rules.js';
import { formatSlots, type SlotRange } from '../../model/topology.js';
import { readAccount, type NodeAccount } from '../account.js';
import { isGhost, type ClusterNodesLine } from '../cluster-nodes.js';
import { at, type Endpoint } from '../connection.js';

/** Of a shard, its primary and its standby: who has its slots? */
export interface ShardAccounts {
  accounts: NodeAccount[];
  primary: NodeAccount | undefined;
  standby: NodeAccount | undefined;
  /** Nodes that could not be read, and why. */
  unread: string[];
}

export interface CutOverPair {
  endpoint: Endpoint;
  primary: string;
  standby: string;
  /** The shard's slots. */
  ranges: readonly SlotRange[];
  /** Every node of the cluster, but for those that are excused. */
  nodes: readonly string[];
  /** Nodes that are down for everyone and have no slots: nobody has to see them. */
  excused?: readonly string[];
}

export async function readPair({ endpoint, primary, standby, nodes }: CutOverPair): Promise<ShardAccounts> {
  const unread: string[] = [];
  const byAddress = new Map<string, NodeAccount>();
  await Promise.all(
    [...new Set([primary, standby, ...nodes])].map(async (address) => {
      try {
        byAddress.set(address, await readAccount(at(endpoint, address)));
      } catch (error) {
        unread.push(error instanceof Error ? error.message : String(error));
      }
    }),
  );
  return {
    accounts: [...byAddress.values()],
    primary: byAddress.get(primary),
    standby: byAddress.get(standby),
    unread,
  };
}

/** The slots that a node counts as its own. */
export const ownSlots = ({ peers }: NodeAccount): string => slotsAt(peers.find((peer) => peer.myself));

/** The slots that one node sees at another. */
export const slotsSeenAt = (id: string, { peers }: NodeAccount): string =>
  slotsAt(peers.find((peer) => peer.id === id));

const slotsAt = (line: { slots: SlotRange[] } | undefined): string => formatSlots(line?.slots ?? []);

/** What speaks against it; `passing`: may be over in seconds. */
export interface Hindrance {
  why: string;
  clears: string;
  passing: boolean;
}

/**
 * The standby takes the slots without a vote: allowed only where every node is there and sees the same, and where all that
 * follows can be carried out.
 */
export function hindrance(pair: CutOverPair, seen: ShardAccounts): Hindrance | undefined {
  const passing = (why: string, clears: string): Hindrance => ({ why, clears, passing: true });
  const lasting = (why: string, clears: string): Hindrance => ({ why, clears, passing: false });
  const { accounts, primary, standby, unread } = seen;
  const slots = formatSlots(pair.ranges);
  if (!primary || !standby || unread.length > 0)
    return passing(`not every node can be read: ${unread.slice(0, 3).join('; ')}`, 'all of them answer');
  if (primary.node.role !== 'primary' || ownSlots(primary) !== slots)
    return lasting(
      `${pair.primary} is not the primary of slots ${slots}: it calls itself ${primary.node.role} of ${ownSlots(primary) || 'none'}`,
      'read the roles anew and start again',
    );
  if (standby.node.role !== 'primary' || ownSlots(standby) !== '')
    return lasting(
      `${pair.standby} is no standby: it calls itself ${standby.node.role} of slots ${ownSlots(standby) || 'none'}`,
      'add the standby again',
    );
  const pausing = canPauseWrites(primary.node.release);
  if (pausing.state !== 'pass')
    return lasting(pausing.reason, 'no cutover from this release loses nothing: restore the backup instead');
  const epochs = [...new Set(accounts.map(({ currentEpoch }) => currentEpoch))];
  if (epochs.length > 1) return passing(`the nodes disagree on the epoch (${epochs.join(', ')})`, 'gossip reaches all');
  for (const account of accounts) {
    const found = seenAmiss(pair, account, { accounts, primary, standby, slots });
    if (found !== undefined) return passing(found.why, found.clears);
  }
  return undefined;
}

function seenAmiss(
  pair: CutOverPair,
  account: NodeAccount,
  {
    accounts,
    primary,
    standby,
    slots,
  }: { accounts: NodeAccount[]; primary: NodeAccount; standby: NodeAccount; slots: string },
): { why: string; clears: string } | undefined {
  const { node, peers, clusterState } = account;
  const who = node.address;
  if (clusterState !== 'ok') return { why: `${who} sees cluster_state:${clusterState}`, clears: 'the cluster is ok' };
  if (account.failoverUnderWay) return { why: `${who} reports a failover under way`, clears: 'that failover ends' };
  const excused = (peer: ClusterNodesLine): boolean =>
    isGhost(peer) || (peer.slots.length === 0 && pair.excused?.includes(peer.address) === true);
  const doubtful = peers.find((peer) => (peer.health !== 'ok' || !(peer.linkUp || peer.myself)) && !excused(peer));
  if (doubtful)
    return {
      why: `${who} sees ${doubtful.address} as ${doubtful.health}${doubtful.linkUp ? '' : ', and has no link to it'}`,
      clears: 'it is healthy for everyone, or forgotten',
    };
  const strangers = accounts.filter((it) => !peers.some(({ id }) => id === it.node.id));
  if (strangers.length > 0)
    return {
      why: `${who} doesn't know ${strangers.map((it) => it.node.address).join(', ')}`,
      clears: 'gossip reaches it',
    };
  if (slotsSeenAt(primary.node.id, account) !== slots)
    return {
      why: `${who} sees slots ${slotsSeenAt(primary.node.id, account) || 'none'} at ${pair.primary}, which has ${slots}`,
      clears: 'it sees the slots where they are',
    };
  const open = peers.find((peer) => peer.myself)?.openSlots ?? [];
  if (open.length > 0 && account !== standby)
    return { why: `${who} has open slots (${open.slice(0, 3).join(' ')})`, clears: 'that resharding ends' };
  return undefined;
}
