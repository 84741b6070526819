import { arg, into, nothing, same, word, type Pair, type Rewrite, type Rewritten } from './rewritten.js';

const refs = 'redis 8.2';

/** The options of XADD and XTRIM, from `at` on, and where they end. */
interface Trim {
  end: number;
  kept: (Buffer | string)[];
  minId?: Buffer;
  references?: 'DELREF' | 'ACKED';
}

/**
 * The server has made every approximate trim exact (`~` became `=`), and left `LIMIT` beside it, which it takes from its
 * primary only. KEEPREF is what releases before 8.2 do.
 */
function trimOf({ knows }: Pair, args: Buffer[], at: number): Trim {
  const trim: Trim = { end: at, kept: [] };
  for (; trim.end < args.length; trim.end++) {
    const name = word(args, trim.end);
    if (name === 'NOMKSTREAM') continue;
    if (name === 'LIMIT') trim.end++;
    else if (name === 'KEEPREF' || name === 'DELREF' || name === 'ACKED') {
      if (knows(refs)) trim.kept.push(name);
      else if (name !== 'KEEPREF') trim.references = name;
    } else if (name === 'MAXLEN' || name === 'MINID') {
      const sign = word(args, trim.end + 1);
      trim.end += sign === '=' || sign === '~' ? 2 : 1;
      const value = arg(args, trim.end);
      if (name === 'MINID' && !knows('6.2')) trim.minId = value;
      else trim.kept.push(name, sign === '~' ? '~' : '=', value);
    } else break;
  }
  return trim;
}

const recopied = (key: Buffer, reason: string): Rewritten => ({ kind: 'recopy', keys: [key], reason });
export function xadd(pair: Pair): Rewrite {
  return (args) => {
    const first = args[2]?.[0] ?? 0;
    // An id, without any options before it.
    if (first >= 0x30 && first <= 0x39) return same;
    const key = arg(args, 1);
    const trim = trimOf(pair, args, 2);
    if (trim.references) return recopied(key, `entries trimmed with ${trim.references}, which came with 8.2`);
    const add = ['XADD', key, ...trim.kept, ...args.slice(trim.end)];
    return trim.minId ? into(add, ['@xtrimminid', key, trim.minId]) : into(add);
  };
}

export function xtrim(pair: Pair): Rewrite {
  return (args) => {
    const key = arg(args, 1);
    const trim = trimOf(pair, args, 2);
    if (trim.references) return recopied(key, `entries trimmed with ${trim.references}, which came with 8.2`);
    return trim.minId ? into(['@xtrimminid', key, trim.minId]) : into(['XTRIM', key, ...trim.kept]);
  };
}

/** XGROUP CREATE and SETID with ENTRIESREAD (7.0), CREATECONSUMER (6.2). */
export function xgroup({ knows }: Pair): Rewrite {
  if (knows('7.0')) return () => same;
  return (args) => {
    const action = word(args, 1);
    if (action === 'CREATECONSUMER' && !knows('6.2')) return into(['@xcreateconsumer', ...args.slice(2)]);
    if (action !== 'CREATE' && action !== 'SETID') return same;
    return without(args, 5, ['ENTRIESREAD']);
  };
}

/** XSETID with ENTRIESADDED and MAXDELETEDID (7.0). */
export function xsetid({ knows }: Pair): Rewrite {
  return knows('7.0') ? () => same : (args) => without(args, 3, ['ENTRIESADDED', 'MAXDELETEDID']);
}

function without(args: Buffer[], from: number, names: string[]): Rewritten {
  for (let at = from; at < args.length; at++)
    if (names.includes(word(args, at))) return into([...args.slice(0, at), ...withoutAfter(args, at + 2, names)]);
  return same;
}

function withoutAfter(args: Buffer[], from: number, names: string[]): Buffer[] {
  const rest: Buffer[] = [];
  for (let at = from; at < args.length; at++)
    if (names.includes(word(args, at))) at++;
    else rest.push(arg(args, at));
  return rest;
}

/**
 * XCLAIM of one entry. From 7.0 on, a claim of an entry that is no longer in the stream means that it is pending no
 * more (`xclaimCommand` in t_stream.c); before, it made it pending all the same.
 */
export function xclaim({ knows }: Pair): Rewrite {
  return knows('7.0') ? () => same : (args) => into(['@xclaim', ...args.slice(1)]);
}

/** XDELEX key [KEEPREF | DELREF | ACKED] IDS n id … (8.2) */
export const xdelex: Rewrite = (args) => {
  const how = word(args, 2);
  const ids = args.slice(how === 'IDS' ? 4 : 5);
  if (how === 'ACKED') return recopied(arg(args, 1), 'XDELEX ACKED came with 8.2');
  return into([how === 'DELREF' ? '@xdelref' : 'XDEL', arg(args, 1), ...ids]);
};

/** XACKDEL key group [KEEPREF | DELREF | ACKED] IDS n id … (8.2) */
export const xackdel: Rewrite = (args) => {
  const how = word(args, 3);
  const ids = args.slice(how === 'IDS' ? 5 : 6);
  if (how === 'ACKED') return recopied(arg(args, 1), 'XACKDEL ACKED came with 8.2');
  if (ids.length === 0) return nothing;
  return into(['@xackdel', arg(args, 1), arg(args, 2), how === 'DELREF' ? how : 'KEEPREF', ...ids]);
};
