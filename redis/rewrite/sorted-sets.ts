import { arg, into, same, word, type Pair, type Rewrite } from './rewritten.js';

const flags = new Set(['NX', 'XX', 'CH', 'INCR', 'GT', 'LT']);

/** ZADD with GT or LT (6.2): which of its members change depends on what the set holds. */
export function zadd({ knows }: Pair): Rewrite {
  if (knows('6.2')) return () => same;
  return (args) => {
    // A score, but for inf, begins with a digit, a sign or a point.
    if ((args[2]?.[0] ?? 0) < 0x40) return same;
    for (let at = 2; at < args.length && flags.has(word(args, at)); at++) {
      const flag = word(args, at);
      if (flag === 'GT' || flag === 'LT') return into(['@zadd', ...args.slice(1)]);
    }
    return same;
  };
}

export const zrangestore: Rewrite = (args) => into(['@zrangestore', ...args.slice(1)]);
export const zdiffstore: Rewrite = (args) => into(['@zdiffstore', ...args.slice(1)]);

/**
 * GEORADIUS…, GEOSEARCHSTORE. Which members lie within, and how far off, is computed: what bounds a search has been
 * mended again and again up to 7.0, so an older server may find others.
 */
export function geo({ knows }: Pair, targetOf: (args: Buffer[]) => Buffer[]): Rewrite {
  if (knows('7.2')) return () => same;
  return (args) => {
    const keys = targetOf(args);
    if (keys.length === 0) return same;
    return { kind: 'recopy', keys, reason: `${arg(args, 0).toString('latin1').toUpperCase()} is computed otherwise` };
  };
}
