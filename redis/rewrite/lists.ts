import { arg, into, same, word, type Pair, type Rewrite } from './rewritten.js';

/** LPOP and RPOP with a count (6.2). LTRIM takes away as many, and the key with the last one. */
export function pop({ knows }: Pair, side: 'left' | 'right'): Rewrite {
  if (knows('6.2')) return () => same;
  return (args) => {
    if (args.length < 3) return same;
    const [key, count] = [arg(args, 1), arg(args, 2).toString('latin1')];
    if (side === 'left') return into(['LTRIM', key, count, '-1']);
    return into(['LTRIM', key, '0', String(-1n - BigInt(count))]);
  };
}

export const lmove: Rewrite = (args) => {
  const [source, target] = [arg(args, 1), arg(args, 2)];
  const [from, to] = [word(args, 3), word(args, 4)];
  if (from === 'RIGHT' && to === 'LEFT') return into(['RPOPLPUSH', source, target]);
  return into(['@lmove', source, target, from, to]);
};
