import { expect } from 'vitest';
import { atLeast } from '../../../model/release.js';
import type { NodeConnection } from '../../../redis/connection.js';
import type { Endpoint } from '../../../redis/connection.js';
import type { Command } from '../../../redis/resp.js';
import { compareBatch, findExtra } from '../../../redis/verify/batch.js';
import { Pipe } from '../../../redis/verify/pipe.js';
import { printable } from '../../../redis/verify/values.js';
import type { Sides } from '../../../redis/verify/side.js';

export interface Place {
  endpoint: Endpoint;
  node: NodeConnection;
  release: string;
}

/** Sends commands and fails on the first that is refused. */
export async function applyTo(pipe: Pipe, commands: readonly Buffer[][]): Promise<void> {
  const replies = await pipe.send(commands.map(([name, ...rest]): Command => [String(name), ...rest]));
  for (const [i, reply] of replies.entries())
    if (typeof reply === 'object' && reply !== null && 'message' in reply) {
      const words = commands[i]?.slice(0, 8).map((it) => printable(it.subarray(0, 60))) ?? [];
      throw new Error(`${words.join(' ')}: ${reply.message}`);
    }
}

/** Names what differs in any way between two servers, but for kinds that the verification leaves out of streams. */
export async function differences(from: Place, to: Place, toleranceMs: number): Promise<string[]> {
  using a = await Pipe.open(from.endpoint, { readonly: false, noTouch: false, timeoutMs: 60_000 });
  using b = await Pipe.open(to.endpoint, { readonly: false, noTouch: false, timeoutMs: 60_000 });
  const sides: Sides = {
    primary: { pipe: a, role: 'primary', pexpiretime: atLeast(from.release, 7, 0) },
    replica: { pipe: b, role: 'replica', pexpiretime: atLeast(to.release, 7, 0) },
    fieldExpiry: false,
  };
  const keys = (await a.ask('KEYS', '*')) as Buffer[];
  const { candidates } = await compareBatch(sides, keys, toleranceMs);
  const extra = await findExtra(sides, (await b.ask('KEYS', '*')) as Buffer[]);
  return [...candidates.map(printable), ...extra.map((key) => `only in the copy: ${printable(key)}`)];
}

/** All that two servers say about their streams, groups, consumers and pending entries. */
export async function sameStreams(from: Place, to: Place): Promise<number> {
  const counted = atLeast(from.release, 7, 0) && atLeast(to.release, 7, 0);
  const keys = ((await from.node.callBuffer('KEYS', '*')) as Buffer[]).filter((key) => key.includes('stream'));
  for (const key of keys) {
    const [a, b] = [await told(from.node, key, counted), await told(to.node, key, counted)];
    for (const [i, { idle, ...entry }] of a.pending.entries()) {
      const { idle: other = 0, ...copied } = b.pending[i] ?? {};
      expect(copied, `${key.toString()} pending ${i}`).toEqual(entry);
      expect(Math.abs(idle - other), `${key.toString()} idle ${i}`).toBeLessThan(120_000);
    }
    expect({ ...b, pending: b.pending.length }, key.toString()).toEqual({ ...a, pending: a.pending.length });
  }
  return keys.length;
}

async function told(node: NodeConnection, key: Buffer, counted: boolean) {
  const info = fieldsOf(await node.call('XINFO', 'STREAM', key));
  const chosen = ['length', 'last-generated-id', 'groups'].concat(
    counted ? ['entries-added', 'max-deleted-entry-id', 'recorded-first-entry-id'] : [],
  );
  const groups = ((await node.callBuffer('XINFO', 'GROUPS', key)) as unknown[]).map(fieldsOf);
  const stream = {
    info: chosen.map((name) => [name, info[name]]),
    groups: [] as unknown[],
    consumers: [] as string[],
    pending: [] as { id: string; consumer: string; deliveries: number; idle: number }[],
  };
  for (const group of groups) {
    const name = group['name'] as Buffer;
    const facts = ['last-delivered-id', 'pending', 'consumers'].concat(counted ? ['entries-read'] : []);
    stream.groups.push([name.toString('latin1'), ...facts.map((it) => String(group[it]))]);
    const consumers = (await node.callBuffer('XINFO', 'CONSUMERS', key, name)) as unknown[];
    stream.consumers.push(...consumers.map((it) => (fieldsOf(it)['name'] as Buffer).toString('latin1')).sort());
    const all = (await node.callBuffer('XPENDING', key, name, '-', '+', 100_000)) as [Buffer, Buffer, number, number][];
    for (const [id, consumer, idle, deliveries] of all)
      stream.pending.push({ id: String(id), consumer: consumer.toString('latin1'), idle, deliveries });
  }
  return stream;
}

function fieldsOf(flat: unknown): Record<string, unknown> {
  const list = flat as unknown[];
  return Object.fromEntries(list.flatMap((it, i) => (i % 2 === 0 ? [[String(it), list[i + 1]]] : [])));
}
