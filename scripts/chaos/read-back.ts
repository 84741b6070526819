import type { Endpoint, NodeConnection } from '../../redis/connection.js';
import { at, connect } from '../../redis/connection.js';
import { parseInfo } from '../../redis/info.js';
import type { Reply } from '../../redis/probe/resp.js';
import { readTopology } from '../../redis/topology.js';
import { until } from '../sandbox/cluster.js';
import { allLost, expiryOff, missingIn, readOf, type LedgerKey, type Lost } from './ledger.js';

export interface ReadBack {
  acknowledged: number;
  /** Acknowledged writes that the primaries don't show. */
  lost: Lost[];
  /** What replicas show otherwise than their primaries. */
  diverged: string[];
  /** Keys that expire at another time than they should, by more than the tolerance. */
  expiries: string[];
}

/**
 * Reads every key of the ledger from its primary and from each of its replicas, once these have all that their primary
 * has. Nobody writes meanwhile.
 *
 * @param toleranceMs how far an expiry may be off
 */
export async function readBack(
  ledger: readonly LedgerKey[],
  { endpoint, nodes, toleranceMs }: { endpoint: Endpoint; nodes: readonly string[]; toleranceMs: number },
): Promise<ReadBack> {
  const { shards } = await readTopology(endpoint, nodes);
  const result: ReadBack = { acknowledged: 0, lost: [], diverged: [], expiries: [] };
  const owned = new Set<LedgerKey>();
  for (const { slots, primary, replicas } of shards) {
    const keys = ledger.filter(({ slot }) => slots.some(([from, to]) => from <= slot && slot <= to));
    for (const it of keys) owned.add(it);
    await using main = await connect(at(endpoint, primary.address), { timeoutMs: 30_000 });
    const onPrimary = await readAll(main, keys);
    for (const [i, it] of keys.entries()) result.lost.push(...missingIn(it, onPrimary[i]));
    result.expiries.push(...(await expiriesOff(main, keys, toleranceMs)).map((text) => `${primary.address} ${text}`));
    for (const { address } of replicas) {
      await using replica = await connect(at(endpoint, address), { timeoutMs: 30_000 });
      await caughtUp(main, replica);
      await replica.call('READONLY');
      const onReplica = await readAll(replica, keys);
      for (const [i, it] of keys.entries())
        if (canonical(it, onReplica[i]) !== canonical(it, onPrimary[i]))
          result.diverged.push(`${it.key} on ${address}, ${JSON.stringify(onReplica[i]).slice(0, 60)} there`);
      result.expiries.push(...(await expiriesOff(replica, keys, toleranceMs)).map((text) => `${address} ${text}`));
    }
  }
  for (const it of ledger) {
    result.acknowledged += it.acknowledged;
    if (!owned.has(it)) result.lost.push(...allLost(it, ': nobody serves its slot'));
  }
  return result;
}

const readAll = async (connection: NodeConnection, keys: readonly LedgerKey[]): Promise<Reply[]> =>
  (await connection.pipeline(keys.map(readOf))) as Reply[];

async function expiriesOff(
  connection: NodeConnection,
  keys: readonly LedgerKey[],
  toleranceMs: number,
): Promise<string[]> {
  const volatile = keys.filter(({ type }) => type === 'volatile');
  const before = Date.now();
  const replies = await connection.pipeline(volatile.map(({ key }) => ['PTTL', key]));
  const took = Date.now() - before;
  return volatile.flatMap((it, i) => {
    const off = expiryOff(it, before + Number(replies[i]));
    return off !== undefined && Math.abs(off) > toleranceMs + took ? [`${it.key} expires ${off} ms off`] : [];
  });
}

async function caughtUp(primary: NodeConnection, replica: NodeConnection): Promise<void> {
  const replication = async (it: NodeConnection) => parseInfo(String(await it.call('INFO', 'replication')));
  const wanted = Number((await replication(primary))['master_repl_offset']);
  await until(`${replica.address} has what ${primary.address} has`, async () => {
    const info = await replication(replica);
    return info['master_link_status'] === 'up' && Number(info['slave_repl_offset']) >= wanted;
  });
}

/** Sets and hashes have no order, and from 7.0 on a score is told with as few digits as it needs. */
function canonical({ type }: LedgerKey, reply: Reply | undefined): string {
  if (reply instanceof Error) return reply.message;
  if (!Array.isArray(reply)) return JSON.stringify(reply);
  if (type === 'set') return JSON.stringify([...reply].sort());
  if (type === 'hash' || type === 'zset') {
    const other = (it: Reply | undefined): string => (type === 'zset' ? String(Number(it)) : JSON.stringify(it));
    return JSON.stringify(
      reply.flatMap((name, i) => (i % 2 === 0 ? [`${String(name)} ${other(reply[i + 1])}`] : [])).sort(),
    );
  }
  return JSON.stringify(reply);
}
