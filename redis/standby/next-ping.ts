import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeConnection } from '../connection.js';
import { parseInfo } from '../info.js';

/**
 * A node pings whoever it has not heard of for half its node timeout, and looks ten times a second (clusterCron): with
 * this one it pings every node with every look.
 */
export const PING_ALWAYS_TIMEOUT_MS = 190;
const WATCH_MS = 450;

/**
 * Watches a node's pings, which come in step with its cron.
 *
 * @returns how long it is until the next one (ms), when asked; undefined where no step was seen
 */
export async function watchPings(node: NodeConnection): Promise<(() => number) | undefined> {
  const seen: number[] = [];
  let count: string | undefined;
  const end = performance.now() + WATCH_MS;
  while (performance.now() < end) {
    const asked = performance.now();
    const sent = parseInfo(String(await node.call('CLUSTER', 'INFO')))['cluster_stats_messages_ping_sent'];
    // An answer that took long doesn't tell when.
    if (count !== undefined && sent !== count && performance.now() - asked < 10) seen.push(asked);
    count = sent;
    await sleep(1);
  }
  const [first] = seen;
  const last = seen.at(-1);
  if (first === undefined || last === undefined || last === first) return undefined;
  const step = (last - first) / Math.round((last - first) / 100);
  if (!(step > 50 && step < 200)) return undefined;
  return () => step - ((performance.now() - last) % step);
}
