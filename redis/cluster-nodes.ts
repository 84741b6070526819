import type { PeerView, SlotRange } from '../model/topology.js';

export interface ClusterNodesLine extends PeerView {
  myself: boolean;
  /** The line has a host and port of its own. */
  announced: boolean;
  /** Of the cluster bus. */
  busPort?: number;
}

/** Lines that were read before, by what they say. */
export type KnownLines = Map<string, ClusterNodesLine>;

/**
 * Reads CLUSTER NODES of any release. The address field is `ip:port@cport` before 7.0, then
 * `ip:port@cport,hostname[,tls-port=…,shard-id=…]`; a node that was never met has no ip of its own, and is given
 * `ownHost`.
 *
 * @param known a line that another node has alike is taken from here: the nodes of a healthy cluster of 1,000 have a
 * million lines, and two thousand different ones
 */
export function parseClusterNodes(text: string, ownHost: string, known: KnownLines = new Map()): ClusterNodesLine[] {
  return text
    .trim()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const words = line.trim().split(' ');
      const host = words[1]?.startsWith(':') ? ownHost : '';
      // When it was pinged and answered, each node knows for itself, and nobody asks.
      const key = `${host} ${words.toSpliced(4, 2).join(' ')}`;
      const same = known.get(key);
      if (same) return same;
      // Parts of a string keep all of it: of a copy, which is short.
      const parsed = parseLine(Buffer.from(line).toString(), ownHost);
      known.set(key, parsed);
      return parsed;
    });
}

function parseLine(line: string, ownHost: string): ClusterNodesLine {
  const [id = '', place = '', flagText = '', primaryId = '-', , , epoch = '0', link = '', ...slotWords] = line
    .trim()
    .split(' ');
  const flags = new Set(flagText.split(','));
  const endpoint = (place.split('@')[0] ?? '').split(',')[0] ?? '';
  const colon = endpoint.lastIndexOf(':');
  const host = endpoint.slice(0, colon);
  const port = endpoint.slice(colon + 1);
  const busPort = Number(/@(\d+)/.exec(place)?.[1] ?? 0);
  const health = flags.has('handshake')
    ? 'handshake'
    : flags.has('noaddr')
      ? 'noaddr'
      : flags.has('fail')
        ? 'fail'
        : flags.has('fail?')
          ? 'pfail'
          : 'ok';
  return {
    id,
    address: `${host === '' ? bracket(ownHost) : bracket(host)}:${port}`,
    role: flags.has('master') ? 'primary' : 'replica',
    ...(primaryId === '-' ? {} : { primaryId }),
    health,
    linkUp: link === 'connected',
    configEpoch: Number(epoch),
    slots: slotWords.filter((word) => !word.startsWith('[')).map(range),
    openSlots: slotWords.filter((word) => word.startsWith('[')),
    myself: flags.has('myself'),
    announced: host !== '' && Number(port) > 0,
    ...(busPort > 0 ? { busPort } : {}),
  };
}

const bracket = (host: string): string => (host.includes(':') && !host.startsWith('[') ? `[${host}]` : host);

function range(word: string): SlotRange {
  const [from = '0', to = from] = word.split('-');
  return [Number(from), Number(to)];
}

/** An id that somebody went by once: whoever is at its address now goes by another, and it has no slots. */
export const isGhost = ({ health, slots }: Pick<ClusterNodesLine, 'health' | 'slots'>): boolean =>
  health === 'noaddr' && slots.length === 0;
