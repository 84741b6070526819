import { expiryOf, shifted, type Expiry } from './moments.js';
import { arg, into, same, word, type Pair, type Rewrite, type Rewritten } from './rewritten.js';

/** Redis has expiring fields from 7.4 on, Valkey from 9.0. */
export const fieldExpiry = 'redis 7.4 valkey 9.0';
const hsetexSince = 'redis 8.0 valkey 9.0';
export const fieldsExpire = 'expiring hash fields';

/**
 * HPEXPIREAT key ms [condition] FIELDS n field …, and the three that are propagated as it. Conditions stay: Valkey
 * propagates the fields that didn't meet them, too.
 */
export function hexpire({ knows, marginMs }: Pair, name: string, by: 1 | 1000): Rewrite {
  if (!knows(fieldExpiry)) return (args) => ({ kind: 'unrepresentable', keys: [arg(args, 1)], what: fieldsExpire });
  return (args) => {
    const margin = marginMs(arg(args, 1));
    if (margin === 0 && by === 1) return same;
    return into([name, arg(args, 1), shifted(arg(args, 2), by, margin), ...args.slice(3)]);
  };
}

/**
 * HSETEX key [FNX | FXX] [PXAT ms | KEEPTTL] FIELDS n field value …. Redis propagates every HINCRBYFLOAT as one with
 * KEEPTTL from 8.0 on, Valkey every HINCRBY of an expiring field as one with PXAT.
 */
export function hsetex(pair: Pair): Rewrite {
  return (args) => {
    const key = arg(args, 1);
    let at = 2;
    let expiry: Expiry | undefined;
    let keep = false;
    for (; word(args, at) !== 'FIELDS' && at < args.length; at++) {
      const name = word(args, at);
      if (name === 'KEEPTTL') keep = true;
      const found = expiryOf(pair, key, name, arg(args, at + 1));
      if (found) {
        expiry = found;
        at++;
      }
    }
    return hsetexCommands(pair, key, args.slice(at + 2), keep ? 'keep' : expiry);
  };
}

function hsetexCommands(pair: Pair, key: Buffer, pairs: Buffer[], expiry: Expiry | 'keep' | undefined): Rewritten {
  const values = ['HSET', key, ...pairs];
  // HSET ends a field's expiry where fields have one, and there is nothing to keep where they haven't.
  if (expiry === undefined || (expiry === 'keep' && !pair.knows(fieldExpiry))) return into(values);
  const count = String(pairs.length / 2);
  if (expiry === 'keep')
    return pair.knows(hsetexSince)
      ? into(['HSETEX', key, 'KEEPTTL', 'FIELDS', count, ...pairs])
      : into(['@hsetkeepttl', key, ...pairs]);
  if (!pair.knows(fieldExpiry)) {
    const lost = { keys: [key], what: fieldsExpire };
    return { ...into(values), lost };
  }
  const fields = pairs.filter((_, i) => i % 2 === 0);
  return into(values, [
    expiry.relative ? 'HPEXPIRE' : 'HPEXPIREAT',
    key,
    expiry.ms,
    'FIELDS',
    String(fields.length),
    ...fields,
  ]);
}

/** HGETDEL key FIELDS n field … */
export const hgetdel: Rewrite = (args) => into(['HDEL', arg(args, 1), ...args.slice(4)]);
