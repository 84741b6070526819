import { expect } from 'vitest';
import { keySlot } from '../../../redis/probe/slot.js';
import { readTopology } from '../../../redis/topology.js';
import { at, connect } from '../../../redis/connection.js';
import type { Sandbox } from '../../../scripts/sandbox/cluster.js';

type Command = readonly [string, ...(string | number)[]];

const many = <T>(count: number, item: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => item(i));
const text = (length: number, i: number): string => `${i}:`.padEnd(length, 'abcdefghij');

/** What is stored under a key, how it is read back whole, and when it expires. Small and large, for each encoding. */
function entry(i: number): { key: string; write: Command; read: Command; expiresInMs?: number } {
  const key = `shop:{${i}}:${i % 8}`;
  const size = i % 3 === 0 ? 600 : 3;
  const kinds: [Command, Command][] = [
    [
      ['SET', key, text(size * 10, i)],
      ['GET', key],
    ],
    [
      ['SET', key, i * 7919],
      ['GET', key],
    ],
    [
      ['HSET', key, ...many(size, (n) => [`field-${n}`, `${i}-${n}`]).flat()],
      ['HGETALL', key],
    ],
    [
      ['RPUSH', key, ...many(size, (n) => `${i}-${n}`)],
      ['LRANGE', key, 0, -1],
    ],
    [
      ['SADD', key, ...many(size, (n) => `member-${i}-${n}`)],
      ['SMEMBERS', key],
    ],
    [
      ['SADD', key, ...many(size, (n) => n * i)],
      ['SMEMBERS', key],
    ],
    [
      ['ZADD', key, ...many(size, (n) => [n / 3, `member-${n}`]).flat()],
      ['ZRANGE', key, 0, -1, 'WITHSCORES'],
    ],
    [
      ['XADD', key, `${i + 1}-1`, 'field', text(size, i)],
      ['XRANGE', key, '-', '+'],
    ],
  ];
  const [write, read] = kinds[i % kinds.length] ?? kinds[0] ?? [['PING'], ['PING']];
  return { key, write, read, ...(i % 5 === 0 ? { expiresInMs: 600_000 + i * 1000 } : {}) };
}

/** Keys of many types, encodings and lifetimes, and what must be found of them afterwards. */
export class Dataset {
  private constructor(
    readonly cluster: Sandbox,
    readonly count: number,
    readonly before: Readonly<Record<string, { value: string; expiresAt: number | undefined }>>,
  ) {}

  static async write(cluster: Sandbox, count: number): Promise<Dataset> {
    const entries = many(count, entry);
    await onPrimaries(
      cluster,
      entries.flatMap(({ key, write, expiresInMs }) => [
        { key, command: write },
        ...(expiresInMs === undefined ? [] : [{ key, command: ['PEXPIRE', key, expiresInMs] as Command }]),
      ]),
    );
    return new Dataset(cluster, count, await read(cluster, count));
  }

  /** Everything is there as it was written, and expires when it should; in another cluster, where one is given. */
  async expectSame(toleranceMs: number, cluster = this.cluster): Promise<void> {
    const after = await read(cluster, this.count);
    const differing = Object.entries(this.before).filter(([key, { value, expiresAt }]) => {
      const now = after[key];
      return (
        now?.value !== value ||
        (now.expiresAt === undefined) !== (expiresAt === undefined) ||
        Math.abs((now.expiresAt ?? 0) - (expiresAt ?? 0)) > toleranceMs
      );
    });
    const shown = (it?: { value: string; expiresAt: number | undefined }): string =>
      it === undefined ? 'absent' : `${it.value.slice(0, 80)} until ${it.expiresAt ?? 'ever'}`;
    expect(differing.slice(0, 5).map(([key, was]) => `${key}: ${shown(was)}, now ${shown(after[key])}`)).toEqual([]);
  }
}

async function read(cluster: Sandbox, count: number) {
  const entries = many(count, entry);
  const [values, ttls] = [
    await onPrimaries(
      cluster,
      entries.map(({ key, read: command }) => ({ key, command })),
    ),
    await onPrimaries(
      cluster,
      entries.map(({ key }) => ({ key, command: ['PTTL', key] as Command })),
    ),
  ];
  const now = Date.now();
  return Object.fromEntries(
    entries.map(({ key, read: [command] }, i) => {
      const reply = values[i];
      const value =
        command === 'GET' || command === 'XRANGE' || command === 'LRANGE'
          ? reply
          : settled[command]?.(reply as string[]);
      const ttl = Number(ttls[i]);
      return [key, { value: JSON.stringify(value), expiresAt: ttl >= 0 ? now + ttl : undefined }];
    }),
  );
}

const pairsOf = (reply: string[]): [string, string][] =>
  reply.flatMap((name, i): [string, string][] => (i % 2 === 0 ? [[name, reply[i + 1] ?? '']] : []));

/** Sets and hashes have no order, and from 7.0 on a score is told with as few digits as it needs. */
const settled: Readonly<Record<string, (reply: string[]) => unknown>> = {
  SMEMBERS: (reply) => reply.sort(),
  HGETALL: (reply) => pairsOf(reply).sort(),
  ZRANGE: (reply) => pairsOf(reply).map(([member, score]) => [member, Number(score)]),
};

/** Sends each command to the primary that holds its key now; the replies in order. A refusal is thrown. */
async function onPrimaries(cluster: Sandbox, work: readonly { key: string; command: Command }[]): Promise<unknown[]> {
  const { shards } = await readTopology(
    cluster.endpoint(),
    cluster.nodes.map((node) => node.address),
  );
  const replies: unknown[] = new Array<unknown>(work.length);
  for (const { slots, primary } of shards) {
    const mine = work.flatMap(({ key, command }, i) =>
      slots.some(([from, to]) => from <= keySlot(key) && keySlot(key) <= to) ? [{ i, command }] : [],
    );
    const connection = await connect(at(cluster.endpoint(), primary.address), { timeoutMs: 20_000 });
    try {
      const got = await connection.pipeline(mine.map(({ command }) => command));
      for (const [n, { i }] of mine.entries()) {
        if (got[n] instanceof Error) throw got[n];
        replies[i] = got[n];
      }
    } finally {
      connection.close();
    }
  }
  return replies;
}
