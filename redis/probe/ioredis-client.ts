import { Cluster } from 'ioredis';
import { at, redisOptions, type Endpoint } from '../connection.js';
import type { ProbeClient } from './raw-client.js';
import type { Reply } from './resp.js';

/**
 * ioredis' cluster client, set up as we tell users to: what it fails, an application fails too.
 *
 * - `maxRedirections` × `retryDelayOnFailover` is 10 s, longer than the default `cluster-node-timeout` of 5 s and the
 *   election after it. The usual advice of 64 × 250 ms lasts as long, but measures a gap in steps of 250 ms.
 * - No `clusterNodeRetryStrategy`: after a kill it left commands unsettled for ever (measured). Without
 *   it a broken connection ends, what it owed is rejected with `Connection is closed.`, and the cluster client sends it
 *   again after `retryDelayOnFailover` to a random node, which answers with MOVED.
 * - `slotsRefreshInterval`: a frozen primary (SIGSTOP, swapping) never closes its connection. Only a refresh that no longer
 *   lists it makes ioredis drop the connection, and so retry.
 *
 * What it does not retry: `READONLY`, `MASTERDOWN`, `NOREPLICAS` and all other error replies. In cluster mode a
 * demoted primary says MOVED, which it follows. `LOADING` is not seen by commands, since each node's ready check (INFO)
 * holds them back until it has loaded.
 */
export function ioredisClient(seeds: readonly string[], endpoint: Endpoint): Promise<ProbeClient> {
  const options: Partial<ReturnType<typeof redisOptions>> = redisOptions(endpoint);
  delete options.host;
  delete options.port;
  const cluster = new Cluster(
    seeds.map((seed) => {
      const { host, port } = at(endpoint, seed);
      return { host, port };
    }),
    {
      maxRedirections: 100,
      retryDelayOnFailover: 100,
      retryDelayOnClusterDown: 100,
      retryDelayOnTryAgain: 100,
      slotsRefreshInterval: 2000,
      redisOptions: {
        ...options,
        connectTimeout: 2000,
        disableClientInfo: true,
      },
    },
  );
  let last: Error | undefined;
  // Without a listener ioredis would print them; the commands' own outcomes are what is counted.
  cluster.on('error', (error: Error) => (last = error));
  cluster.on('node error', (error: Error) => (last = error));
  return new Promise((resolve, reject) => {
    const giveUp = setTimeout(() => {
      cluster.disconnect();
      reject(new Error(`ioredis did not find the cluster within 10 s${last ? `: ${last.message}` : ''}`));
    }, 10_000);
    cluster.once('ready', () => {
      clearTimeout(giveUp);
      resolve({
        send: ([command = '', ...rest]) => cluster.call(command, ...rest) as Promise<Reply>,
        close: () => cluster.disconnect(),
      });
    });
  });
}

const data = ['SET', 'HSET', 'RPUSH', 'SADD', 'ZADD', 'XADD', 'INCR', 'GET', 'HGET', 'LINDEX', 'SISMEMBER', 'ZSCORE'];

/** The commands that ioredis can only send under their own names, and that the deployment has renamed. */
export const renamedForIoredis = (endpoint: Endpoint): string[] =>
  [...data, 'XRANGE', 'CLUSTER', 'INFO', 'AUTH'].filter((command) => {
    const name = endpoint.commands?.[command];
    return name !== undefined && name.toUpperCase() !== command;
  });
