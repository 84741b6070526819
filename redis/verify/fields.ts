import { drift, gone, usable, type Side } from './side.js';
import { elements, lookupCommands, sameElement, type NamedType } from './values.js';
import { textOf, type Command, type Reply } from '../resp.js';

export interface LookupInput {
  type: NamedType;
  key: Buffer;
  /** Elements scanned at a time. */
  step: number;
  /** Compare the expiry of hash fields too. */
  fieldExpiry: boolean;
  ttlToleranceMs: number;
  /** Stop after so many differing elements. */
  limit: number;
  /** Which of these differ still. Asked at the limit: elements that were only being written to make room for others. */
  sift?: (names: Buffer[]) => Promise<Buffer[]>;
}

export interface LookupResult {
  names: Buffer[];
  /** There may be more than `names`. */
  overflow: boolean;
  bytes: number;
}

const SCAN = { hash: 'HSCAN', set: 'SSCAN', zset: 'ZSCAN' } as const;

/**
 * Scans a large hash, set or sorted set on one node and looks each element up on the other. Memory is bounded by the
 * piece; an element that the scan returns twice (it may, while the table is resized) is looked up twice and no harm
 * done, where a running digest would come out wrong. Elements that only `to` has are found the other way round.
 */
export async function differingElements(from: Side, to: Side, input: LookupInput): Promise<LookupResult | typeof gone> {
  const { type, key } = input;
  const out: LookupResult = { names: [], overflow: false, bytes: 0 };
  const scan = (cursor: string): Promise<Reply[]> => from.pipe.send([[SCAN[type], key, cursor, 'COUNT', input.step]]);
  let next = scan('0');
  for (;;) {
    const reply = usable(from, SCAN[type], (await next)[0]);
    if (!Array.isArray(reply) || !Array.isArray(reply[1])) return gone;
    const cursor = textOf(reply[0]);
    const piece = elements(type, reply[1]);
    // The next piece is on its way while this one is looked up.
    if (cursor !== '0') {
      next = scan(cursor);
      next.catch(() => undefined);
    }
    for (const [name, value] of piece) out.bytes += name.length + (Buffer.isBuffer(value) ? value.length : 0);
    const differing = await lookUp(from, to, input, piece);
    if (differing === gone) return gone;
    out.names.push(...differing.map((name) => Buffer.from(name)));
    if (out.names.length >= input.limit && input.sift) out.names = await input.sift(out.names);
    if (out.names.length >= input.limit) {
      out.overflow = cursor !== '0' || out.names.length > input.limit;
      out.names.length = Math.min(out.names.length, input.limit);
      return out;
    }
    if (cursor === '0') return out;
  }
}

async function lookUp(
  from: Side,
  to: Side,
  { type, key, fieldExpiry, ttlToleranceMs }: LookupInput,
  piece: [Buffer, Reply][],
): Promise<Buffer[] | typeof gone> {
  const names = piece.map(([name]) => name);
  const expiry = fieldExpiry && type === 'hash' ? fieldExpiryCommands(key, names) : [];
  const commands = lookupCommands(type, key, names);
  const [there, here] = await Promise.all([to.pipe.send([...commands, ...expiry]), from.pipe.send(expiry)]);
  const values = lookupValues(to, type, there.slice(0, commands.length));
  if (values === gone) return gone;
  const [a, b] = [here[0], there[commands.length]];
  return names.filter(
    (_, i) =>
      !sameElement(type, piece[i]?.[1], values[i]) ||
      (expiry.length > 0 && !(fieldDrift(from, a, to, b, i) <= ttlToleranceMs)),
  );
}

/** The values behind the replies to `lookupCommands`, one for each name. */
export function lookupValues(side: Side, type: NamedType, replies: Reply[]): Reply[] | typeof gone {
  if (type !== 'hash') {
    const values = replies.map((reply) => usable(side, 'ZSCORE', reply));
    return values.includes(gone) ? gone : (values as Reply[]);
  }
  if (replies.length === 0) return [];
  const values = usable(side, 'HMGET', replies[0]);
  return Array.isArray(values) ? values : gone;
}

/** When each field of a hash expires, as stored (HPEXPIRETIME: Redis 7.4, Valkey 9.0). */
export const fieldExpiryCommands = (key: Buffer, names: readonly Buffer[]): Command[] =>
  names.length === 0 ? [] : [['HPEXPIRETIME', key, 'FIELDS', names.length, ...names]];

/** Distance of field i's expiries in two replies to `fieldExpiryCommands`, ms; Infinity when they can't be compared. */
export function fieldDrift(a: Side, left: Reply | undefined, b: Side, right: Reply | undefined, i: number): number {
  const [x, y] = [usable(a, 'HPEXPIRETIME', left), usable(b, 'HPEXPIRETIME', right)];
  if (!Array.isArray(x) || !Array.isArray(y)) return Infinity;
  return drift(fieldExpiryOf(a, x[i]), fieldExpiryOf(b, y[i]));
}

/** Unix ms when it is to come, -1 without one, or MISSING. */
function fieldExpiryOf(side: Side, reply: Reply | undefined): number {
  const at = Number(reply);
  return at < 0 ? at : at - (side.laterByMs ?? 0);
}
