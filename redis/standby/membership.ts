import { RolloutError } from '../../model/failures.js';
import { eachNode } from '../../model/in-parallel.js';
import { splitAddress } from '../../model/endpoint.js';
import { parseClusterNodes, type ClusterNodesLine } from '../cluster-nodes.js';
import { at, connect, type Endpoint } from '../connection.js';
import { poll } from '../roles.js';

export interface Membership {
  endpoint: Endpoint;
  /** The node that becomes a member or ceases to be one. */
  node: { id: string; address: string };
  /** All other members. */
  members: readonly string[];
  signal?: AbortSignal;
}

const timing = (signal: AbortSignal | undefined) => ({
  everyMs: 100,
  withinMs: 60_000,
  ...(signal ? { signal } : {}),
});

/**
 * Makes a node known to every member: each of them meets it, since gossip alone takes seconds. Done once all see it well,
 * and the epoch that it may have brought along is everybody's.
 *
 * @throws RolloutError NotCaughtUp naming who doesn't know it in time; Unreachable where a member can't be asked
 */
export async function introduce({ endpoint, node, members, signal }: Membership): Promise<void> {
  const met = new Set<string>();
  const busPort = (await linesAt(endpoint, node.address)).find(({ myself }) => myself)?.busPort;
  const { host, port } = splitAddress(node.address);
  const seen = await poll(
    () =>
      eachNode(members, async (member) => {
        await using connection = await connect(at(endpoint, member));
        const lines = parseClusterNodes(String(await connection.call('CLUSTER', 'NODES')), '');
        const line = lines.find(({ id }) => id === node.id);
        const shaking = lines.some(({ health, address }) => health === 'handshake' && address === node.address);
        if (!line && (!shaking || !met.has(member))) {
          met.add(member);
          await connection.call('CLUSTER', 'MEET', host, port, ...(busPort === undefined ? [] : [busPort]));
        }
        return line?.health === 'ok' && line.linkUp ? [] : [member];
      }),
    (all) => all.flat().length === 0,
    timing(signal),
  );
  const missing = seen.flat();
  if (missing.length > 0)
    throw new RolloutError(
      'NotCaughtUp',
      `${missing.slice(0, 5).join(', ')} ${missing.length === 1 ? 'does' : 'do'} not know ${node.address} a minute after CLUSTER MEET: look at the ports ${port} and ${busPort ?? '?'} there`,
    );
}

/**
 * Has every member forget a node, until none has it: who has not forgotten yet tells those who have, once their ban of a
 * minute is over.
 *
 * @throws RolloutError Stopped when it owns slots; NotCaughtUp naming who knows it still; Unreachable
 */
export async function forgetEverywhere({ endpoint, node, members, signal }: Membership): Promise<void> {
  const left = await poll(
    () =>
      eachNode(members, async (member) => {
        await using connection = await connect(at(endpoint, member));
        const lines = parseClusterNodes(String(await connection.call('CLUSTER', 'NODES')), '');
        // One that is met anew at this moment has a name of its own until it has answered.
        const known = lines.filter(
          ({ id, address, health }) => id === node.id || (health === 'handshake' && address === node.address),
        );
        for (const { id, slots } of known) {
          if (slots.length > 0)
            throw new RolloutError(
              'Stopped',
              `${member} sees slots at ${node.address}: it serves its shard, and is not removed`,
            );
          await connection.call('CLUSTER', 'FORGET', id).catch((error: unknown) => {
            if (!(error instanceof Error) || !/^ERR Unknown node/i.test(error.message)) throw error;
          });
        }
        return known.length > 0 ? [member] : [];
      }),
    (all) => all.flat().length === 0,
    timing(signal),
  );
  const still = left.flat();
  if (still.length > 0)
    throw new RolloutError('NotCaughtUp', `${still.slice(0, 5).join(', ')} can't forget ${node.address} (${node.id})`);
}

async function linesAt(endpoint: Endpoint, address: string): Promise<ClusterNodesLine[]> {
  await using connection = await connect(at(endpoint, address));
  return parseClusterNodes(String(await connection.call('CLUSTER', 'NODES')), '');
}
