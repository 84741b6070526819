import { atLeast } from '../../../model/release.js';
import type { NodeConnection } from '../../../redis/connection.js';
import { sameHyperLogLog } from '../../../redis/verify/hyperloglog.js';
import { knowsSince } from '../../../model/compatibility/knows-since.js';

/** One key's content in a form that compares: its type, when it expires, and its value's parts by name. */
export interface Content {
  type: string;
  expiresAt: number;
  parts: Map<string, string>;
  bytes?: Buffer;
}

const text = (reply: unknown): string =>
  Buffer.isBuffer(reply)
    ? reply.toString('latin1')
    : Array.isArray(reply)
      ? `[${reply.map(text).join(',')}]`
      : String(reply);

/** Everything that one database of a server holds, key by key. */
export async function contentOf(node: NodeConnection, release: string): Promise<Map<string, Content>> {
  const all = new Map<string, Content>();
  for (const key of (await node.callBuffer('KEYS', '*')) as Buffer[]) {
    const type = String(await node.call('TYPE', key));
    const left = Number(await node.call('PTTL', key));
    const content: Content = { type, expiresAt: left < 0 ? -1 : Date.now() + left, parts: new Map() };
    if (type === 'string') content.bytes = (await node.callBuffer('GET', key)) as Buffer;
    else if (type === 'stream') await readStream(node, release, key, content.parts);
    else if (type !== 'vectorset') await readValue(node, type, key, content.parts);
    if (type === 'hash' && knowsSince(release, 'redis 7.4 valkey 9.0')) await readFieldExpiry(node, key, content.parts);
    all.set(key.toString('latin1'), content);
  }
  return all;
}

async function readValue(node: NodeConnection, type: string, key: Buffer, parts: Map<string, string>): Promise<void> {
  if (type === 'list')
    for (const [i, it] of ((await node.callBuffer('LRANGE', key, 0, -1)) as Buffer[]).entries())
      parts.set(`${i}`, text(it));
  else if (type === 'set')
    for (const it of (await node.callBuffer('SMEMBERS', key)) as Buffer[]) parts.set(text(it), '');
  else {
    const command: [string, Buffer, ...string[]] =
      type === 'hash' ? ['HGETALL', key] : ['ZRANGE', key, '0', '-1', 'WITHSCORES'];
    const replies = (await node.callBuffer(...command)) as Buffer[];
    for (let i = 0; i < replies.length; i += 2)
      parts.set(text(replies[i]), type === 'hash' ? text(replies[i + 1]) : double(text(replies[i + 1])));
  }
}

/** 5.0 prints 0.10000000000000001 where 7.2 prints 0.1. */
const double = (score: string): string => String(/inf/.test(score) ? score : Number(score));

async function readFieldExpiry(node: NodeConnection, key: Buffer, parts: Map<string, string>): Promise<void> {
  const fields = [...parts.keys()].map((it) => Buffer.from(it, 'latin1'));
  const moments = (await node.call('HPEXPIRETIME', key, 'FIELDS', fields.length, ...fields)) as number[];
  for (const [i, at] of moments.entries())
    if (at >= 0) parts.set(`expiry of ${fields[i]?.toString('latin1')}`, `${at}`);
}

async function readStream(
  node: NodeConnection,
  release: string,
  key: Buffer,
  parts: Map<string, string>,
): Promise<void> {
  for (const [id, fields] of (await node.callBuffer('XRANGE', key, '-', '+')) as [Buffer, Buffer[]][])
    parts.set(`entry ${text(id)}`, text(fields));
  const counts = atLeast(release, 7, 0);
  const known = ['last-generated-id', ...(counts ? ['max-deleted-entry-id', 'entries-added'] : [])];
  const info = pairs(await node.callBuffer('XINFO', 'STREAM', key));
  for (const name of known) parts.set(name, info.get(name) ?? '');
  for (const reply of (await node.callBuffer('XINFO', 'GROUPS', key)) as unknown[]) {
    const group = pairs(reply);
    const name = group.get('name') ?? '';
    for (const fact of ['pending', 'last-delivered-id', ...(counts ? ['entries-read'] : [])])
      parts.set(`${fact} of ${name}`, group.get(fact) ?? '');
    for (const consumer of (await node.callBuffer('XINFO', 'CONSUMERS', key, Buffer.from(name, 'latin1'))) as unknown[])
      parts.set(`consumer ${pairs(consumer).get('name')} of ${name}`, pairs(consumer).get('pending') ?? '');
    const pending = await node.callBuffer('XPENDING', key, Buffer.from(name, 'latin1'), '-', '+', 100_000);
    for (const [id, consumer, idle, count] of pending as unknown[][]) {
      parts.set(`pending ${text(id)} in ${name}`, `${text(consumer)} ${text(count)}`);
      parts.set(`delivery of ${text(id)} in ${name}`, `${Date.now() - Number(idle)}`);
    }
  }
}

function pairs(reply: unknown): Map<string, string> {
  const all = new Map<string, string>();
  const list = reply as unknown[];
  for (let i = 0; i < list.length; i += 2) all.set(text(list[i]), text(list[i + 1]));
  return all;
}

export interface Comparison {
  /** Difference of two expiry times that is none, ms. */
  toleranceMs: number;
  marginMs?: number;
  skip?: ReadonlySet<string>;
}

/** What isn't the same, in words; parts that one of the two can't tell (`entries-read` before 7.0) are passed over. */
export function differences(
  newer: Map<string, Content>,
  older: Map<string, Content>,
  { toleranceMs, marginMs = 0, skip }: Comparison,
): string[] {
  const found: string[] = [];
  for (const key of new Set([...newer.keys(), ...older.keys()])) {
    if (skip?.has(key)) continue;
    const [a, b] = [newer.get(key), older.get(key)];
    if (!a || !b) found.push(`${key}: ${a ? `${a.type} only on the newer` : `${b?.type} only on the older`}`);
    else found.push(...differencesOf(a, b, toleranceMs, marginMs).map((it) => `${key} (${a.type}): ${it}`));
  }
  return found;
}

const untold = /^(entries-read of |entries-added|max-deleted-entry-id|expiry of )/;

function differencesOf(a: Content, b: Content, toleranceMs: number, marginMs: number): string[] {
  if (a.type !== b.type) return [`a ${b.type} on the older`];
  const found: string[] = [];
  const apart =
    a.expiresAt < 0 || b.expiresAt < 0
      ? b.expiresAt !== a.expiresAt
      : Math.abs(b.expiresAt - a.expiresAt - marginMs) > toleranceMs;
  if (apart) found.push(`expires at ${a.expiresAt}, ${b.expiresAt} on the older`);
  if (a.bytes && b.bytes && !a.bytes.equals(b.bytes) && !sameHyperLogLog(a.bytes, b.bytes))
    found.push(`'${text(a.bytes).slice(0, 200)}', '${text(b.bytes).slice(0, 200)}' on the older`);
  const told = [...b.parts.keys()].some((it) => untold.test(it));
  for (const part of new Set([...a.parts.keys(), ...b.parts.keys()])) {
    const [x, y] = [a.parts.get(part), b.parts.get(part)];
    const moment = /^(expiry|delivery) of /.exec(part)?.[1];
    if (moment !== undefined && x !== undefined && y !== undefined) {
      const later = moment === 'expiry' ? marginMs : 0;
      if (Math.abs(Number(y) - Number(x) - later) > toleranceMs) found.push(`${part}: ${x}, ${y} on the older`);
    } else if (x !== y && !(untold.test(part) && !told)) found.push(`${part}: ${x}, ${y} on the older`);
  }
  return found;
}
