import { sameHyperLogLog } from './hyperloglog.js';
import type { Command, Reply } from '../resp.js';

export type ValueType = 'string' | 'list' | 'hash' | 'set' | 'zset' | 'stream';
/** Types whose elements have names, so that each can be looked up on the other node. */
export type NamedType = 'hash' | 'set' | 'zset';

const types: ReadonlySet<string> = new Set<ValueType>(['string', 'list', 'hash', 'set', 'zset', 'stream']);
export const isValueType = (type: string): type is ValueType => types.has(type);
export const isNamed = (type: ValueType): type is NamedType => type === 'hash' || type === 'set' || type === 'zset';

/** Strings shorter than this are read whole, in one pipeline with their neighbours; a dense HyperLogLog is 12,304. */
export const WHOLE_BYTES = 16 * 1024;
/** Collections up to both of these are read whole. */
export const WHOLE_ELEMENTS = 512;
export const WHOLE_MEMORY = 64 * 1024;

const lengthOf = { list: 'LLEN', hash: 'HLEN', set: 'SCARD', zset: 'ZCARD', stream: 'XLEN', string: 'STRLEN' } as const;
export const lengthCommand = (type: ValueType, key: Buffer): Command => [lengthOf[type], key];

/** Reads a small value whole. Of a string only the first WHOLE_BYTES: so many bytes in the reply mean there may be more. */
export function wholeCommand(type: Exclude<ValueType, 'stream'>, key: Buffer): Command {
  switch (type) {
    case 'string':
      return ['GETRANGE', key, 0, WHOLE_BYTES - 1];
    case 'list':
      return ['LRANGE', key, 0, -1];
    case 'hash':
      return ['HGETALL', key];
    case 'set':
      return ['SMEMBERS', key];
    case 'zset':
      return ['ZRANGE', key, 0, -1, 'WITHSCORES'];
  }
}

/** The double behind a score: 5.0 prints 0.10000000000000001 where 7.2 prints 0.1. */
export function score(reply: Reply | undefined): number | undefined {
  if (!Buffer.isBuffer(reply)) return undefined;
  const text = reply.toString('latin1');
  return text === 'inf' ? Infinity : text === '-inf' ? -Infinity : Number(text);
}

/** Two replies to `wholeCommand`: the same value, whatever the order or the encoding? */
export function sameWhole(type: Exclude<ValueType, 'stream'>, a: Reply, b: Reply): boolean {
  if (Buffer.isBuffer(a) && Buffer.isBuffer(b)) return a.equals(b) || (type === 'string' && sameHyperLogLog(a, b));
  if (!Array.isArray(a) || !Array.isArray(b)) return a === b;
  if (a.length !== b.length) return false;
  if (a.every((element, i) => sameBytes(element, b[i]))) return true;
  return type !== 'list' && type !== 'string' && differingNames(type, a, b).length === 0;
}

/** What of a hash, set or sorted set (as `wholeCommand` reads it) isn't the same in both. */
export function differingNames(type: NamedType, a: Reply[], b: Reply[]): Buffer[] {
  const right = index(type, b);
  const names: Buffer[] = [];
  for (const [element, value] of elements(type, a)) {
    const name = element.toString('latin1');
    const other = right.get(name);
    if (!other || !sameElement(type, value, other[1])) names.push(element);
    right.delete(name);
  }
  return [...names, ...[...right.values()].map(([element]) => element)];
}

function index(type: NamedType, replies: Reply[]): Map<string, [Buffer, Reply]> {
  const out = new Map<string, [Buffer, Reply]>();
  for (const [element, value] of elements(type, replies)) out.set(element.toString('latin1'), [element, value]);
  return out;
}

/** Name and value of each element in a reply of HGETALL, HSCAN, SMEMBERS, SSCAN, ZRANGE WITHSCORES or ZSCAN. */
export function elements(type: NamedType, replies: Reply[]): [Buffer, Reply][] {
  const out: [Buffer, Reply][] = [];
  for (let i = 0; i < replies.length; i += type === 'set' ? 1 : 2)
    out.push([replies[i] as Buffer, type === 'set' ? 1 : (replies[i + 1] ?? null)]);
  return out;
}

/** Reads single elements by name: values of a hash, scores of a sorted set, 0 or 1 of a set. */
export function lookupCommands(type: NamedType, key: Buffer, names: readonly Buffer[]): Command[] {
  if (names.length === 0) return [];
  if (type === 'hash') return [['HMGET', key, ...names]];
  // SMISMEMBER and ZMSCORE came with 6.2; in one pipeline the single ones cost little more.
  return names.map((name) => [type === 'set' ? 'SISMEMBER' : 'ZSCORE', key, name]);
}

export function sameElement(type: NamedType, a: Reply | undefined, b: Reply | undefined): boolean {
  return sameBytes(a, b) || (type === 'zset' && Buffer.isBuffer(a) && Buffer.isBuffer(b) && score(a) === score(b));
}

export function sameBytes(a: Reply | undefined, b: Reply | undefined): boolean {
  return a === b || (Buffer.isBuffer(a) && Buffer.isBuffer(b) && a.equals(b));
}

export function bytesOf(reply: Reply | undefined): number {
  if (Buffer.isBuffer(reply)) return reply.length;
  return Array.isArray(reply) ? reply.reduce<number>((sum, part) => sum + bytesOf(part), 0) : 0;
}

/** A key or element as a person can read it: printable ASCII as it is, other bytes as \xNN, cut after 100 bytes. */
export function printable(bytes: Buffer): string {
  let text = '';
  for (const byte of bytes.subarray(0, 100))
    text +=
      byte >= 0x20 && byte < 0x7f && byte !== 0x5c
        ? String.fromCharCode(byte)
        : `\\x${byte.toString(16).padStart(2, '0')}`;
  return bytes.length > 100 ? `${text}… (${bytes.length} bytes)` : text;
}
