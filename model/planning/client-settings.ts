import { formatDuration } from '../duration.js';
import { fail, pass, type Verdict } from '../verdict.js';
import type { ClientSettings } from './facts.js';

/** ioredis' own, where nothing is set (ioredis, lib/cluster/ClusterOptions). */
export const ioredisDefaults = { retryDelayOnFailoverMs: 100, maxRedirections: 16 } as const;

/**
 * Does a cluster client keep trying until a failover that nobody planned is through? It gives up after maxRedirections ×
 * retryDelayOnFailover, and the primaries agree that a node failed only after cluster-node-timeout.
 */
export function survivesFailover(settings: Omit<ClientSettings, 'name'>, nodeTimeoutMs: number): Verdict {
  const { retryDelayOnFailoverMs, maxRedirections } = settings;
  const patience = retryDelayOnFailoverMs * maxRedirections;
  const sum = `${maxRedirections} × ${retryDelayOnFailoverMs} ms = ${formatDuration(patience)}`;
  if (patience > nodeTimeoutMs) return pass(`it retries for ${sum}`);
  return fail(
    `it gives up after ${sum}, before a failed node is even noticed (cluster-node-timeout ${formatDuration(nodeTimeoutMs)})`,
    `set ${settingsFor(nodeTimeoutMs)}`,
  );
}

/**
 * Settings in ioredis' names that outlast an unplanned failover: three node timeouts, since one was seen to take 8 to 10
 * s with a node timeout of 5 s (measured).
 */
export function settingsFor(nodeTimeoutMs: number): string {
  const delay = 250;
  return `retryDelayOnFailover: ${delay}, maxRedirections: ${Math.max(64, Math.ceil((3 * nodeTimeoutMs) / delay))}`;
}
