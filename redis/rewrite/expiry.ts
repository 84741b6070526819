import { expiryOf, shifted } from './moments.js';
import { arg, into, nothing, same, word, type Pair, type Rewrite } from './rewritten.js';
import { loadsPayload, payloadVersion } from './since.js';

/**
 * EXPIRE, PEXPIRE, EXPIREAT, PEXPIREAT. Conditions (NX, XX, GT, LT of 7.0) are dropped: it is propagated only when they
 * were met. The relative ones come from releases before 7.0, and count from when they are applied, as on any replica.
 */
export function expire({ marginMs }: Pair, name: 'PEXPIRE' | 'PEXPIREAT', by: 1 | 1000): Rewrite {
  return (args) => {
    const key = arg(args, 1);
    const margin = marginMs(key);
    if (margin === 0 && args.length === 3) return same;
    return into([name, key, shifted(arg(args, 2), by, margin)]);
  };
}

/** RESTORE key ttl payload [REPLACE] [ABSTTL] [IDLETIME s] [FREQ n] */
export function restore({ target, marginMs }: Pair): Rewrite {
  return (args) => {
    const [, key, ttl, payload, ...options] = args;
    if (!key || !ttl || !payload) return same;
    const version = payloadVersion(payload);
    if (!loadsPayload(target, version))
      return { kind: 'recopy', keys: [key], reason: `a payload of RDB version ${version}` };
    const margin = ttl.toString('latin1') === '0' ? 0 : marginMs(key);
    return into(['RESTORE', key, margin === 0 ? ttl : shifted(ttl, 1, margin), payload, ...options]);
  };
}

/** GETEX: every release propagates what it did, and none the command itself. */
export function getex(pair: Pair): Rewrite {
  return (args) => {
    const key = arg(args, 1);
    if (word(args, 2) === 'PERSIST') return into(['PERSIST', key]);
    const expiry = expiryOf(pair, key, word(args, 2), arg(args, 3));
    if (!expiry) return nothing;
    return into([expiry.relative ? 'PEXPIRE' : 'PEXPIREAT', key, expiry.ms]);
  };
}
