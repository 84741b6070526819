import { Cluster } from 'ioredis';
import { createCluster } from 'redis';

/** A cluster client as an application has it: what its `set` rejects with, the application sees. */
export interface BenchClient {
  set(key: string, value: string): Promise<unknown>;
  close(): void;
}

export interface ClientKind {
  /** What of its settings is not the library's own. */
  settings: string;
  connect(ports: readonly number[]): Promise<BenchClient>;
}

/**
 * The clients that write. The protocol is RESP2 for all of them: servers before 6.0 know no other, and an application
 * that is carried from 5.0 to 8.0 has it set.
 */
export const clients = {
  ioredis: {
    settings: 'defaults',
    connect: (ports) => ioredis(ports, {}),
  },
  'ioredis-patient': {
    settings: 'maxRedirections 64, retryDelayOnFailover and retryDelayOnClusterDown 250 ms, as `rollout plan` says',
    connect: (ports) =>
      ioredis(ports, { maxRedirections: 64, retryDelayOnFailover: 250, retryDelayOnClusterDown: 250 }),
  },
  'node-redis': {
    settings: 'defaults',
    connect: (ports) => nodeRedis(ports, {}),
  },
  // By default it drops the connection to a primary that became a replica, and rejects what is still under way on it with
  // `Disconnects client` (cluster-slots.js of @redis/client 6).
  'node-redis-replicas': {
    settings: 'useReplicas, which keeps the connection to a primary that became a replica',
    connect: (ports) => nodeRedis(ports, { useReplicas: true }),
  },
} as const satisfies Record<string, ClientKind>;

export type ClientName = keyof typeof clients;
export const clientNames = Object.keys(clients) as ClientName[];

async function ioredis(
  ports: readonly number[],
  options: { maxRedirections?: number; retryDelayOnFailover?: number; retryDelayOnClusterDown?: number },
): Promise<BenchClient> {
  const cluster = new Cluster(
    ports.map((port) => ({ host: '127.0.0.1', port })),
    { ...options, redisOptions: { protocol: 2 } },
  );
  // Without a listener it prints them; what the commands come to is what is counted.
  cluster.on('error', () => undefined);
  cluster.on('node error', () => undefined);
  await new Promise<void>((resolve) => cluster.once('ready', () => resolve()));
  return { set: (key, value) => cluster.set(key, value), close: () => cluster.disconnect() };
}

async function nodeRedis(ports: readonly number[], options: { useReplicas?: boolean }): Promise<BenchClient> {
  const cluster = createCluster({
    ...options,
    rootNodes: ports.map((port) => ({ url: `redis://127.0.0.1:${port}` })),
    RESP: 2,
  });
  // An 'error' event without a listener would end the process.
  cluster.on('error', () => undefined);
  cluster.on('node-error', () => undefined);
  await cluster.connect();
  return { set: (key, value) => cluster.set(key, value), close: () => cluster.destroy() };
}
