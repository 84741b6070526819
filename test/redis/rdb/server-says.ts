import { expect } from 'vitest';
import type { NodeConnection } from '../../../redis/connection.js';
import type { Whole } from './reassembled.js';

/** Holds a decoded value against what the server itself answers when it is asked for it. */
export async function agreesWithServer(node: NodeConnection, key: Buffer, whole: Whole): Promise<void> {
  const name = key.toString('latin1');
  const type = String(await node.call('TYPE', key));
  switch (type) {
    case 'string':
      expect(whole.string?.equals((await node.callBuffer('GET', key)) as Buffer), name).toBe(true);
      break;
    case 'list':
      expect(texts(whole.elements), name).toEqual(texts((await node.callBuffer('LRANGE', key, 0, -1)) as Buffer[]));
      break;
    case 'set':
      expect(texts(whole.elements).sort(), name).toEqual(
        texts((await node.callBuffer('SMEMBERS', key)) as Buffer[]).sort(),
      );
      break;
    case 'hash':
      await hashAgrees(node, key, whole);
      break;
    case 'zset':
      await zsetAgrees(node, key, whole);
      break;
    case 'stream':
      await streamAgrees(node, key, whole);
      break;
    default:
      expect(whole, name).toMatchObject({ type: 'module', elements: [] });
  }
}

async function hashAgrees(node: NodeConnection, key: Buffer, whole: Whole): Promise<void> {
  const said = paired(texts((await node.callBuffer('HGETALL', key)) as Buffer[]));
  expect(new Map(paired(texts(whole.elements))), key.toString('latin1')).toEqual(new Map(said));
  expect(whole.elements).toHaveLength(2 * said.length);
  for (const [field, at] of whole.expiries)
    expect(await node.call('HPEXPIRETIME', key, 'FIELDS', 1, Buffer.from(field, 'latin1'))).toEqual([at]);
  if (whole.expiries.size === 0) return;
  const fields = said.map(([field]) => Buffer.from(field, 'latin1'));
  const times = (await node.call('HPEXPIRETIME', key, 'FIELDS', fields.length, ...fields)) as number[];
  expect(times.filter((time) => time >= 0)).toHaveLength(whole.expiries.size);
}

async function zsetAgrees(node: NodeConnection, key: Buffer, whole: Whole): Promise<void> {
  const said = paired(texts((await node.callBuffer('ZRANGE', key, 0, -1, 'WITHSCORES')) as Buffer[]));
  const scores = new Map(said.map(([member, text]) => [member, numberOf(text)]));
  const found = new Map(texts(whole.elements).map((member, i) => [member, whole.scores[i]]));
  expect(found, key.toString('latin1')).toEqual(scores);
  expect(whole.scores).toHaveLength(said.length);
}

async function streamAgrees(node: NodeConnection, key: Buffer, { stream }: Whole): Promise<void> {
  const label = key.toString('latin1');
  const entries = (await node.callBuffer('XRANGE', key, '-', '+')) as [Buffer, Buffer[]][];
  expect(
    stream.entries.map(({ id, fields }) => [id, texts(fields)]),
    label,
  ).toEqual(entries.map(([id, fields]) => [id.toString(), texts(fields)]));
  const info = fieldsOf(await node.call('XINFO', 'STREAM', key));
  expect(stream.about?.lastId).toBe(info['last-generated-id']);
  if (stream.about?.counters)
    expect(stream.about.counters).toEqual({
      firstId: info['recorded-first-entry-id'],
      maxDeletedId: info['max-deleted-entry-id'],
      entriesAdded: String(info['entries-added']),
    });
  const groups = ((await node.call('XINFO', 'GROUPS', key)) as unknown[]).map(fieldsOf);
  expect(stream.groups.map(({ name, lastId }) => [name.toString(), lastId]).sort()).toEqual(
    groups.map((it) => [it['name'], it['last-delivered-id']]).sort(),
  );
  for (const { name, entriesRead } of stream.groups) {
    const said = groups.find((it) => it['name'] === name.toString());
    if (entriesRead !== undefined) expect(Number(entriesRead)).toBe(said?.['entries-read'] ?? -1);
    const all = (await node.call('XPENDING', key, name, '-', '+', 1_000_000)) as [string, string, number, number][];
    const consumers = stream.consumers.filter(({ group }) => group === name.toString('latin1'));
    const found = consumers.flatMap(({ consumer, pending }) =>
      pending.map(({ id, deliveries }) => [id, Buffer.from(consumer, 'latin1').toString(), Number(deliveries)]),
    );
    expect(found.sort()).toEqual(all.map(([id, consumer, , times]) => [id, consumer, times]).sort());
    const known = ((await node.call('XINFO', 'CONSUMERS', key, name)) as unknown[]).map(fieldsOf);
    expect(consumers.map(({ consumer }) => Buffer.from(consumer, 'latin1').toString()).sort()).toEqual(
      known.map((it) => it['name']).sort(),
    );
    // Idle times are the only way in which a server tells when it has delivered.
    const now = Date.now();
    for (const [id, , idle] of all) {
      const at = consumers.flatMap(({ pending }) => pending).find((it) => it.id === id)?.deliveredAt ?? 0;
      expect(Math.abs(now - idle - at)).toBeLessThan(60_000);
    }
  }
}

const texts = (buffers: readonly Buffer[]): string[] => buffers.map((it) => it.toString('latin1'));
const numberOf = (text: string): number =>
  /inf/.test(text) ? (text.startsWith('-') ? -Infinity : Infinity) : Number(text);

function paired(flat: string[]): [string, string][] {
  return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i] ?? '', flat[2 * i + 1] ?? '']);
}

function fieldsOf(flat: unknown): Record<string, unknown> {
  const list = flat as unknown[];
  return Object.fromEntries(list.flatMap((it, i) => (i % 2 === 0 ? [[String(it), list[i + 1]]] : [])));
}
