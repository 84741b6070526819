import { dropsExtensions } from '../model/compatibility/release-lines.js';
import { splitAddress } from '../model/endpoint.js';
import { RolloutError } from '../model/failures.js';
import type { NodePlace } from '../model/work.js';
import { eachNode } from '../model/in-parallel.js';
import { isGhost } from '../redis/cluster-nodes.js';
import { at, connect, type Endpoint } from '../redis/connection.js';
import { busPortOf, ownLine } from '../redis/standby/cluster-file.js';
import { introduce } from '../redis/standby/membership.js';
import { forgetWhoWasAt, freshId, needsFreshId } from '../redis/standby/fresh-id.js';
import { poll } from '../redis/roles.js';
import { readAccounts } from '../redis/topology.js';
import { platformNode, type Context } from './context.js';
import { inHome } from './places.js';
import { adopt, knownIds } from './shard-names.js';

/** Who a node is in the cluster, by its nodes.conf. */
export interface Identity {
  id: string;
  busPort: number;
  path: string;
  text: string;
  /** As CLUSTER NODES would say it. */
  nodes: string;
}

/** @throws RolloutError Stopped where there is no such file */
export async function ownEntry({ platform }: Context, place: NodePlace): Promise<Identity> {
  const path = inHome(place, place.clusterFile);
  const text = (await platform.readFile(platformNode(place), { path })) ?? '';
  const nodes = text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('vars '))
    .join('\n');
  if (nodes === '')
    throw new RolloutError('Stopped', `${place.address} has no ${path}: who it is in the cluster is not known`);
  const id = ownLine(nodes).owner;
  return { id, busPort: busPortOf(nodes, id) ?? splitAddress(place.address).port + 10_000, path, text, nodes };
}

/** Who a node is to be: itself; or, where `former` is given, no more under that id. */
export type NextIdentity = Identity & { former?: string };

/**
 * Who a replica is to be when it is started on this release. Nobody knows it under its former id any more then. To be asked
 * once its process has ended.
 *
 * @throws RolloutError as forgetEverywhere
 */
export async function identityOfReplica(context: Context, place: NodePlace, release: string): Promise<NextIdentity> {
  const identity = await identityFor(context, place, release);
  if (identity.former !== undefined) {
    const { deployment, signal } = context;
    const endpoint = ofAll(context);
    const { accounts } = await readAccounts(endpoint, deployment.seeds);
    await forgetWhoWasAt(endpoint, place.address, { id: identity.former, accounts, signal });
  }
  return identity;
}

/** As identityOfReplica of a primary: others know who it was until they have seen its slots at who it is then. */
export async function identityFor(context: Context, place: NodePlace, release: string): Promise<NextIdentity> {
  const own = await ownEntry(context, place);
  if (!dropsExtensions(release)) return own;
  const { accounts } = await readAccounts(ofAll(context), context.deployment.seeds);
  if (!needsFreshId(release, accounts)) return own;
  const id = freshId();
  await adopt(context.folder, { former: own.id, id, address: place.address });
  const renamed = (it: string): string => it.replaceAll(own.id, id);
  return { ...own, id, former: own.id, text: renamed(own.text), nodes: renamed(own.nodes) };
}

/** Whoever came back under a fresh id is met by all who don't know it: nobody tells them of it. */
export async function metByAll(context: Context, place: NodePlace, release: string): Promise<void> {
  if (!dropsExtensions(release)) return;
  const { deployment, signal } = context;
  const endpoint = ofAll(context);
  const { id } = await ownEntry(context, place);
  const { accounts } = await readAccounts(endpoint, [place.address, ...deployment.seeds]);
  const strangers = accounts.filter(({ peers }) => !peers.some((peer) => peer.id === id));
  const members = strangers.map(({ node }) => node.address);
  if (members.length > 0) await introduce({ endpoint, node: { id, address: place.address }, members, signal });
  await forgetGhosts(context);
}

/**
 * Former ids of this operation's nodes, as one may know them that came back at the same time as another: it brought along
 * what was known when it was started.
 */
export async function forgetGhosts(context: Context): Promise<void> {
  const ours = await knownIds(context.folder);
  const { accounts } = await readAccounts(ofAll(context), context.deployment.seeds);
  await eachNode(accounts, async ({ node, peers }) => {
    const upstream = peers.find(({ myself }) => myself)?.primaryId;
    const ghosts = peers.filter((peer) => isGhost(peer) && ours.has(peer.id) && peer.id !== upstream);
    if (ghosts.length === 0) return;
    await using connection = await connect(at(ofAll(context), node.address));
    // What is forgotten by now is so all the same.
    await connection.pipeline(ghosts.map((peer) => ['CLUSTER', 'FORGET', peer.id]));
  });
}

/**
 * Has all forget who a restored primary was, once they see its slots at who it is now, and its replicas follow that.
 *
 * @throws RolloutError NotCaughtUp naming who doesn't
 */
export async function replacesFormer(context: Context, place: NodePlace, former: readonly string[]): Promise<void> {
  if (former.length === 0) return;
  const { deployment, signal } = context;
  const endpoint = ofAll(context);
  const clinging = async (): Promise<string[]> =>
    (await readAccounts(endpoint, [place.address, ...deployment.seeds])).accounts
      .filter(({ peers }) =>
        peers.some(
          ({ id, slots, myself, primaryId }) =>
            (former.includes(id) && slots.length > 0) || (myself && former.includes(primaryId ?? '')),
        ),
      )
      .map(({ node }) => node.address);
  const left = await poll(clinging, (them) => them.length === 0, { everyMs: 200, withinMs: 60_000, signal });
  if (left.length > 0)
    throw new RolloutError(
      'NotCaughtUp',
      `${left.slice(0, 5).join(', ')} did not see within a minute that ${place.address} goes by another node id now, with its slots`,
    );
  const { accounts } = await readAccounts(endpoint, [place.address, ...deployment.seeds]);
  for (const id of new Set(former)) await forgetWhoWasAt(endpoint, place.address, { id, accounts, signal });
}

/** Standbys are members, and left out of the topology: they have to forget and to meet as all do. */
const ofAll = ({ endpoint }: Context): Endpoint => ({ ...endpoint, standbys: [] });
