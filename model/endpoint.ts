/** How to reach one node, with every secret resolved: never to be logged or returned from an activity. */
export interface Endpoint {
  host: string;
  port: number;
  username?: string;
  password?: string;
  tls?: { ca?: Buffer; cert?: Buffer; key?: Buffer; serverName?: string; verify: boolean };
  /** `rename-command`: the name to send for an upper-case command. */
  commands?: Readonly<Record<string, string>>;
  /** CONFIG may be forbidden: whoever only looks does without the node timeout, and takes it to be the default. */
  withoutConfig?: true;
  /** Addresses of standbys: as long as they serve no slot, they are no members to whoever reads the topology. */
  standbys?: readonly string[];
  /** Ids that standbys have in the cluster, by address: whoever has another is a node that came to be where one was. */
  standbyIds?: Readonly<Record<string, string>>;
}

/** `10.0.0.1:6379` or `[fd00::1]:6379` as host and port; the host is empty where only `:6379` is said. */
export function splitAddress(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) };
}

export const addressOf = ({ host, port }: Pick<Endpoint, 'host' | 'port'>): string =>
  `${host.includes(':') ? `[${host}]` : host}:${port}`;

/** The same credentials, another `host:port`. */
export const at = (endpoint: Endpoint, address: string): Endpoint => ({ ...endpoint, ...splitAddress(address) });
