import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import type { Endpoint } from '../model/endpoint.js';

/** An endpoint's TLS settings under the names that Node gives them; ioredis takes the same. */
export function tlsOptions({ host, tls }: Endpoint): ConnectionOptions {
  if (tls === undefined) return {};
  const { ca, cert, key, verify } = tls;
  // SNI has no place for an IP address; the certificate is checked against the host all the same.
  const servername = tls.serverName ?? (isIP(host) === 0 ? host : undefined);
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(servername === undefined ? {} : { servername }),
    rejectUnauthorized: verify,
  };
}

/** Begins a connection, over TLS where the endpoint says so. Ready with its `readyEvent`; without delay for small writes. */
export function dial(endpoint: Endpoint): Socket {
  const { host, port } = endpoint;
  const socket =
    endpoint.tls === undefined ? connectTcp({ host, port }) : connectTls({ host, port, ...tlsOptions(endpoint) });
  return socket.setNoDelay(true);
}

export const readyEvent = ({ tls }: Endpoint): 'connect' | 'secureConnect' =>
  tls === undefined ? 'connect' : 'secureConnect';
