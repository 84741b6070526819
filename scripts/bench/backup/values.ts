import { randomBytes } from 'node:crypto';
import type { Sandbox } from '../../sandbox/cluster.js';
import { until } from '../../sandbox/cluster.js';
import { infoOf } from '../by-hand.js';

const VALUE_BYTES = 1000;
const AT_ONCE = 1000;
/** Much larger than what gzip looks back at. */
const POOL_BYTES = 8 * 1024 * 1024;

/**
 * Fills a primary with so many bytes of values that gzip makes half as large: documents with fields that all have, and
 * others that none has twice. Returns the number of keys, once its replica has them.
 */
export async function fillCompressible(cluster: Sandbox, bytes: number): Promise<number> {
  const [primary] = cluster.nodes;
  if (!primary) throw new Error('there is no node');
  const keys = Math.ceil(bytes / VALUE_BYTES);
  const pool = randomBytes(POOL_BYTES).toString('base64');
  await using connection = await cluster.connect(primary, { timeoutMs: 60_000 });
  for (let from = 0; from < keys; from += AT_ONCE) {
    const count = Math.min(AT_ONCE, keys - from);
    const replies = await connection.pipeline(
      Array.from({ length: count }, (_, i) => ['SET', `bench:${from + i}`, document(from + i, pool)]),
    );
    for (const reply of replies) if (reply instanceof Error) throw reply;
  }
  await until(
    'its replica has it all',
    async () => {
      const infos = await Promise.all(cluster.nodes.map((node) => infoOf(cluster, node)));
      return infos.every((it) => Number(/keys=(\d+)/.exec(it['db0'] ?? '')?.[1]) >= keys);
    },
    300_000,
  );
  return keys;
}

/** A value, half of which others have too. */
export function document(number: number, pool: string): string {
  const start = (number * 7919) % (pool.length - VALUE_BYTES);
  const own = pool.slice(start, start + 550);
  const text = `{"order":${number},"customer":"${own.slice(0, 50)}","state":"delivered","currency":"EUR","lines":[{"article":"${own.slice(50, 300)}","count":1,"price":1999},{"article":"${own.slice(300)}","count":2,"price":2495}],"address":{"street":"Example Street","town":"Springfield","country":"DE"}}`;
  return text.padEnd(VALUE_BYTES, ' ');
}
