import { expiryOf, type Expiry } from './moments.js';
import { arg, into, same, word, type Pair, type Rewrite, type Rewritten } from './rewritten.js';

/**
 * SET. Its conditions (NX, XX, IFEQ, …) are dropped: it is propagated only when they were met. INCRBYFLOAT travels as
 * SET … KEEPTTL from 6.0 on.
 */
export function set(pair: Pair): Rewrite {
  return (args) => {
    if (args.length === 3) return same;
    const [key, value] = [arg(args, 1), arg(args, 2)];
    let expiry: Expiry | undefined;
    let keep = false;
    for (let at = 3; at < args.length; at++) {
      const name = word(args, at);
      const found = expiryOf(pair, key, name, arg(args, at + 1));
      if (found) expiry = found;
      if (name === 'KEEPTTL') keep = true;
      else if (found || name.startsWith('IF')) at++;
    }
    return into(...setCommands(pair, key, value, keep ? 'keep' : expiry));
  };
}

function setCommands(
  pair: Pair,
  key: Buffer,
  value: Buffer,
  expiry: Expiry | 'keep' | undefined,
): (Buffer | string)[][] {
  if (expiry === undefined) return [['SET', key, value]];
  if (expiry === 'keep') return [pair.knows('6.0') ? ['SET', key, value, 'KEEPTTL'] : ['@setkeepttl', key, value]];
  if (expiry.relative) return [['SET', key, value, 'PX', expiry.ms]];
  if (pair.knows('6.2')) return [['SET', key, value, 'PXAT', expiry.ms]];
  return [
    ['SET', key, value],
    ['PEXPIREAT', key, expiry.ms],
  ];
}

/** SETEX and PSETEX, as releases before 6.2 propagate them. */
export function setex(pair: Pair, unit: 'EX' | 'PX'): Rewrite {
  return (args) => {
    const key = arg(args, 1);
    return into(...setCommands(pair, key, arg(args, 3), expiryOf(pair, key, unit, arg(args, 2))));
  };
}

/** MSETEX numkeys key value … [NX | XX] [PXAT ms | KEEPTTL]: one SET a key, since each has a margin of its own. */
export function msetex(pair: Pair): Rewrite {
  return (args) => {
    const end = 2 + 2 * Number(arg(args, 1).toString('latin1'));
    const commands: (Buffer | string)[][] = [];
    for (let at = 2; at < end; at += 2) {
      const key = arg(args, at);
      let expiry: Expiry | 'keep' | undefined;
      for (let option = end; option < args.length; option++)
        if (word(args, option) === 'KEEPTTL') expiry = 'keep';
        else expiry = expiryOf(pair, key, word(args, option), arg(args, option + 1)) ?? expiry;
      commands.push(...setCommands(pair, key, arg(args, at + 1), expiry));
    }
    return into(...commands);
  };
}

const logic = new Set(['AND', 'OR', 'XOR', 'NOT']);

export function bitop({ knows }: Pair): Rewrite {
  if (knows('redis 8.2')) return () => same;
  return (args): Rewritten =>
    logic.has(word(args, 1))
      ? same
      : { kind: 'recopy', keys: [arg(args, 2)], reason: `BITOP ${word(args, 1)} came with 8.2` };
}
