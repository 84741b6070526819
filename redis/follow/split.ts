import { MOST_ARGUMENTS } from './batch.js';

/** Commands that do in pieces what they do at once: how many arguments come first, and how many belong together. */
const ways: Readonly<Record<string, { fixed: number; size: number }>> = {
  DEL: { fixed: 1, size: 1 },
  UNLINK: { fixed: 1, size: 1 },
  MSET: { fixed: 1, size: 2 },
  RPUSH: { fixed: 2, size: 1 },
  LPUSH: { fixed: 2, size: 1 },
  RPUSHX: { fixed: 2, size: 1 },
  LPUSHX: { fixed: 2, size: 1 },
  SADD: { fixed: 2, size: 1 },
  SREM: { fixed: 2, size: 1 },
  ZREM: { fixed: 2, size: 1 },
  HDEL: { fixed: 2, size: 1 },
  PFADD: { fixed: 2, size: 1 },
  XDEL: { fixed: 2, size: 1 },
  XACK: { fixed: 3, size: 1 },
  HSET: { fixed: 2, size: 2 },
  HMSET: { fixed: 2, size: 2 },
  ZADD: { fixed: 2, size: 2 },
};

/**
 * A command as several with few enough arguments for a script; in one batch they are one step all the same.
 *
 * @returns undefined where it can't be taken apart
 */
export function split(args: readonly Buffer[]): Buffer[][] | undefined {
  if (args.length <= MOST_ARGUMENTS) return [[...args]];
  const way = ways[args[0]?.toString('latin1').toUpperCase() ?? ''];
  if (!way) return undefined;
  let { fixed } = way;
  // NX, XX, GT, LT, CH stand before the scores and hold for each of them.
  if (way === ways['ZADD']) while (/^(nx|xx|gt|lt|ch)$/i.test(args[fixed]?.toString('latin1') ?? '')) fixed++;
  const step = Math.floor((MOST_ARGUMENTS - fixed) / way.size) * way.size;
  const out: Buffer[][] = [];
  for (let at = fixed; at < args.length; at += step) out.push([...args.slice(0, fixed), ...args.slice(at, at + step)]);
  return out;
}
