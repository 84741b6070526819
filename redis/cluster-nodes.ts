import type { PeerView, SlotRange } from '../model/topology.js';

export interface ClusterNodesLine extends PeerView {
  myself: boolean;
  /** The line has a host and port of its own. */
  announced: boolean;
}

/**
 * Reads CLUSTER NODES of any release. The address field is `ip:port@cport` before 7.0, then
 * `ip:port@cport,hostname[,tls-port=…,shard-id=…]`; a node that was never met has no ip of its own, and is given
 * `ownHost`.
 */
export function parseClusterNodes(text: string, ownHost: string): ClusterNodesLine[] {
  return text
    .trim()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => parseLine(line, ownHost));
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
  };
}

const bracket = (host: string): string => (host.includes(':') && !host.startsWith('[') ? `[${host}]` : host);

function range(word: string): SlotRange {
  const [from = '0', to = from] = word.split('-');
  return [Number(from), Number(to)];
}
