import { randomBytes } from 'node:crypto';
import { atLeast } from '../model/release.js';
import type { SlotRange } from '../model/topology.js';

/** A node of a cluster that is yet to be started, on loopback. */
export interface FutureNode {
  port: number;
  /** Of its shard: those of a primary and its replicas are the same. */
  slots: readonly SlotRange[];
  /** Port of its primary; absent for a primary. */
  replicaOf?: number;
}

/**
 * A nodes.conf each, of a cluster whose nodes know each other from their first moment: to be met by gossip takes
 * several seconds, and longer the more there are.
 */
export function clusterFiles(nodes: readonly FutureNode[], release: string): string[] {
  const primaries = nodes.filter(({ replicaOf }) => replicaOf === undefined);
  const members = new Map(nodes.map((node) => [node.port, { node, id: draw(), shard: draw() }]));
  const lines = [...members.values()].map(({ node, id, shard }) => {
    const { port, slots, replicaOf } = node;
    const primary = replicaOf === undefined ? undefined : members.get(replicaOf);
    // From 7.2 on the nodes of a shard have an id for it; each would draw one of its own where none is said.
    const place = `127.0.0.1:${port}@${port + 10_000}`;
    const where = atLeast(release, 7, 2) ? `${place},,shard-id=${primary?.shard ?? shard}` : place;
    const epoch = 1 + primaries.findIndex((it) => it.port === (replicaOf ?? port));
    const served = slots.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(' ');
    return (own: boolean): string => {
      const flag = own ? 'myself,' : '';
      return primary
        ? `${id} ${where} ${flag}slave ${primary.id} 0 0 ${epoch} connected`
        : `${id} ${where} ${flag}master - 0 0 ${epoch} connected ${served}`;
    };
  });
  return nodes.map(
    (_, self) =>
      `${lines.map((line, i) => line(i === self)).join('\n')}\nvars currentEpoch ${primaries.length} lastVoteEpoch 0\n`,
  );
}

const draw = (): string => randomBytes(20).toString('hex');
