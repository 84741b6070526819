import { atLeast } from '../../model/release.js';
import type { SlotRange } from '../../model/topology.js';

export interface NewMember {
  /** CLUSTER NODES of the shard's primary. */
  nodes: string;
  /** How the primary is reached, where its own line names no address: it was never met. */
  primaryHost: string;
  self: { id: string; host: string; port: number; busPort: number };
  /** Release that will read the file. */
  release: string;
  /** As a replica of the primary, in place of a member without slots. */
  replica?: true;
  /** As that primary itself, with its slots. Under another id it takes them from the one before, with an epoch above all. */
  primary?: 'as it was' | 'under another id';
}

export interface Ownership {
  /** Node id. */
  owner: string;
  ranges: SlotRange[];
}

export interface ClusterFile extends Ownership {
  text: string;
}

interface Line {
  id: string;
  place: string;
  flags: string[];
  primaryId: string;
  epoch: number;
  slots: string[];
}

/**
 * A nodes.conf for a server that is to be a member without slots and brings a dataset: all slots of the primary are
 * importing from it. Without these marks a server that has keys for a slot would mark it by itself, or take it where it
 * knows no owner (verifyClusterConfigWithData in cluster.c), and no slot without keys could be written to.
 *
 * The epoch is one that no node has: two primaries of one epoch make one of them bump it for the whole cluster
 * (clusterHandleConfigEpochCollision), in which others may be voting.
 */
export function clusterFile({ nodes, primaryHost, self, release, replica, primary }: NewMember): ClusterFile {
  const all = linesOf(nodes);
  const lines = all.filter(
    ({ id, flags }) => id !== self.id && !flags.includes('handshake') && !flags.includes('noaddr'),
  );
  const { owner, ranges } = ownLine(nodes);
  const epochs = new Set(lines.map(({ epoch }) => epoch));
  const highest = Math.max(0, ...epochs);
  // One that has been a member before keeps its own.
  let epoch = all.find(({ id }) => id === self.id)?.epoch ?? 0;
  if (primary === 'under another id') epoch = Math.max(highest, epoch) + 1;
  while (epochs.has(epoch)) epoch++;
  const hostnames = atLeast(release, 7, 0);
  const placeOf = ({ place }: Line): string => {
    const [endpoint = '', hostname = ''] = place.split(',');
    const known = endpoint.startsWith(':') ? `${primaryHost}${endpoint}` : endpoint;
    return hostnames ? `${known},${hostname}` : known;
  };
  const others = lines.map((it) =>
    [
      it.id,
      placeOf(it),
      it.flags.filter((flag) => kept.has(flag)).join(','),
      ...[it.primaryId, 0, 0, it.epoch, 'connected', ...it.slots],
    ].join(' '),
  );
  const place = `${self.host}:${self.port}@${self.busPort}${hostnames ? ',' : ''}`;
  const marks = ranges.flatMap(([from, to]) =>
    Array.from({ length: to - from + 1 }, (_, n) => `[${from + n}-<-${owner}]`),
  );
  const slots = all.find(({ id }) => id === self.id)?.slots ?? [];
  const own = replica
    ? [self.id, place, 'myself,slave', owner, 0, 0, epoch, 'connected'].join(' ')
    : primary
      ? [self.id, place, 'myself,master', '-', 0, 0, epoch, 'connected', ...slots].join(' ')
      : [self.id, place, 'myself,master', '-', 0, 0, epoch, 'connected', ...marks].join(' ');
  const current = Math.max(highest, epoch);
  // It has no vote yet; in an epoch that it was not there for it is not to have one either.
  const vars = `vars currentEpoch ${current} lastVoteEpoch ${current}`;
  return { text: `${[...others, own, vars].join('\n')}\n`, owner, ranges };
}

/**
 * Whom a node's own line in its CLUSTER NODES makes owner of which slots.
 *
 * @throws TypeError where there is none
 */
export function ownLine(nodes: string): Ownership {
  const own = linesOf(nodes).find(({ flags }) => flags.includes('myself'));
  if (!own) throw new TypeError('CLUSTER NODES names no node as myself');
  const ranges = own.slots.map((word): SlotRange => {
    const [from = '0', to = from] = word.split('-');
    return [Number(from), Number(to)];
  });
  return { owner: own.id, ranges };
}

/** Of a node's line, its bus port; undefined where it is not among them. */
export function busPortOf(nodes: string, id: string): number | undefined {
  const place = nodes.split('\n').find((line) => line.startsWith(`${id} `));
  const port = Number(/@(\d+)/.exec(place ?? '')?.[1]);
  return port > 0 ? port : undefined;
}

/** What others say of its health, it finds out for itself. */
const kept = new Set(['master', 'slave', 'nofailover']);

const linesOf = (nodes: string): Line[] => nodes.trim().split('\n').map(parse);

function parse(line: string): Line {
  const [id = '', place = '', flags = '', primaryId = '-', , , epoch = '0', , ...slots] = line.trim().split(' ');
  return {
    ...{ id, place, primaryId, flags: flags.split(','), epoch: Number(epoch) },
    slots: slots.filter((word) => !word.startsWith('[')),
  };
}
