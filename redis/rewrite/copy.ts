import { knowsSince } from '../../model/compatibility/knows-since.js';
import { after } from './keys.js';
import { arg, into, same, type Pair, type Rewrite } from './rewritten.js';

/**
 * COPY source target [DB n] [REPLACE]. Valkey leaves out fields of a hash that have expired and are not deleted yet, and
 * propagates no HDEL for the copy, where the source's comes later. A standby, whose fields expire later or never, still has
 * them and would copy them. Redis copies them too, and then deletes them from both.
 */
export function copy({ source, knows }: Pair): Rewrite {
  if (knowsSince(source, 'valkey 9.0'))
    return (args) => {
      const [db] = after(args, 3, ['DB']);
      return {
        kind: 'recopy',
        keys: [arg(args, 2)],
        reason: 'COPY leaves out fields that have expired',
        ...(db ? { db: Number(db.toString('latin1')) } : {}),
      };
    };
  return knows('6.2') ? () => same : (args) => into(['@copy', ...args.slice(1)]);
}
