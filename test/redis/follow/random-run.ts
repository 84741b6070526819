import { expect } from 'vitest';
import type { SlotRange } from '../../../model/topology.js';
import { connect, type Endpoint, type NodeConnection } from '../../../redis/connection.js';
import { setExpiriesRight } from '../../../redis/follow/expiries.js';
import { readRecord } from '../../../redis/follow/record.js';
import { readInfo } from '../../../redis/node.js';
import { EXPIRY_MARGIN_MS, followKey } from '../../../redis/standby/point.js';
import { until, type Sandbox, type SandboxNode } from '../../../scripts/sandbox/cluster.js';
import type { Proxy } from '../../../scripts/sandbox/toxiproxy.js';
import type { Draw } from '../rewrite/random-commands.js';
import { differences, isDrained } from './followed.js';
import type { Killable } from './killable.js';
import type { randomLoad } from './random-load.js';
import { thorough } from '../../thorough.js';

/** Draws the same commands and faults again; their moments are never quite the same. */
export const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
export const timeoutMs = thorough ? 900_000 : 480_000;
const statements = 200;
const roundsBetween = thorough ? 10 : 2;

/** A primary, its older standby, and those who follow from one to the other. */
export interface RandomRun {
  draw: Draw;
  next: ReturnType<typeof randomLoad>;
  /** Of whoever is primary now. */
  primary: () => Endpoint;
  standby: Endpoint;
  /** Empty outside of a cluster. */
  slots: readonly SlotRange[];
  databases: readonly number[];
  followers: readonly Killable[];
  /** Each is tried once, in an order of its own. */
  faults: readonly (() => Promise<unknown>)[];
}

/** Random commands and faults by turns; in the end both servers hold the same, with the large margin and with a small one. */
export async function runAtRandom(run: RandomRun): Promise<void> {
  const { draw, next, slots, followers } = run;
  const of = { record: followKey(slots), cluster: slots.length > 0 };
  let accepted = 0;
  let sent = 0;
  const write = async (): Promise<number> => {
    const commands = Array.from({ length: statements }, () => next(Date.now())).flat();
    sent += commands.length;
    await using primary = await connect(run.primary(), { timeoutMs: 60_000 });
    accepted += (await primary.pipeline(commands)).filter((it) => !(it instanceof Error)).length;
    return await offsetOf(primary);
  };
  // All may have been flushed with one of the last commands, and what is compared would say nothing.
  const writeMuch = async (): Promise<void> => {
    do await write();
    while ((await keysOf(run.primary())) < 60);
  };
  for (const fault of shuffled(draw, run.faults)) {
    for (let round = 0; round < roundsBetween; round++) await write();
    await fault();
    const offset = await write();
    await until('somebody has gone on', async () => {
      for (const { failure } of followers) if (failure !== undefined) throw new Error(failure);
      await using standby = await connect(run.standby);
      return ((await readRecord(standby, of))?.offset ?? 0) >= offset;
    }).catch((error: unknown) => {
      throw new Error(`${String(error)}: ${JSON.stringify(followers.map(({ state }) => state))}`, { cause: error });
    });
  }
  expect(accepted).toBeGreaterThan(sent * 0.7);
  await writeMuch();
  await sameInTheEnd(run, EXPIRY_MARGIN_MS);
  {
    await using standby = await connect(run.standby);
    await setExpiriesRight({ ...{ standby, slots, record: of.record }, marginMs: 5000, withinMs: 60_000 });
  }
  await writeMuch();
  await sameInTheEnd(run, 5000);
  for (const it of followers) expect(it).toMatchObject({ failure: undefined, copies: 0 });
  expect(followers.reduce((sum, { recopied }) => sum + recopied, 0)).toBeGreaterThan(0);
}

export async function restart(...followers: Killable[]): Promise<void> {
  await Promise.all(
    followers.map(async (it) => {
      await it.kill();
      await it.start();
    }),
  );
}

export async function cut(proxy: Proxy): Promise<void> {
  await proxy.cut();
  await proxy.mend();
}

/** A server loses what came after its last snapshot. */
export async function setBack(sandbox: Sandbox, node: SandboxNode): Promise<void> {
  await using connection = await sandbox.connect(node);
  await connection.call('SAVE');
  await sandbox.kill(node);
  await sandbox.start(node);
}

const offsetOf = async (primary: NodeConnection): Promise<number> =>
  Number((await readInfo(primary, 'replication'))['master_repl_offset']);

async function keysOf(endpoint: Endpoint): Promise<number> {
  await using node = await connect(endpoint);
  const counts = String(await node.call('INFO', 'keyspace')).matchAll(/keys=(\d+)/g);
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
}

/** What was given a few milliseconds to live ends by the primary's own DEL or HDEL, in its own time. */
async function sameInTheEnd(run: RandomRun, marginMs: number): Promise<void> {
  const { slots, databases } = run;
  const cluster = slots.length > 0;
  await using primary = await connect(run.primary(), { timeoutMs: 60_000 });
  await using standby = await connect(run.standby, { timeoutMs: 60_000 });
  let found: string[] = [];
  let keys = 0;
  const compare = async (): Promise<boolean> => {
    found = [];
    keys = 0;
    for (const db of databases) {
      if (!cluster) await Promise.all([primary.call('SELECT', db), standby.call('SELECT', db)]);
      const names = (await primary.callBuffer('KEYS', '*')) as Buffer[];
      keys += names.length;
      // What it can't hold, it has nothing of.
      const others = await notHeld(primary, names);
      for (const it of await thoseAt(standby, others, cluster)) found.push(`${db}/${String(it)} is there`);
      const passed = new Set(others.map(String));
      for (const it of await differences(run.primary(), run.standby, { db, marginMs, asking: cluster }))
        if (!passed.has(it.replace(/: expires in .*/, ''))) found.push(`${db}/${it}`);
    }
    if (!cluster) await Promise.all([primary.call('SELECT', 0), standby.call('SELECT', 0)]);
    return found.length === 0;
  };
  try {
    await until('the same on both', async () => {
      const offset = await offsetOf(primary);
      return (await isDrained(standby, { record: followKey(slots), cluster, offset })) && (await compare());
    });
  } catch (error) {
    expect(found).toEqual([]);
    throw error;
  }
  expect(keys).toBeGreaterThan(40);
}

/** Vector sets, and the hashes without fields that Valkey's COPY leaves where all had expired. */
async function notHeld(primary: NodeConnection, keys: readonly Buffer[]): Promise<Buffer[]> {
  const types = await primary.pipeline(keys.map((key) => ['TYPE', key]));
  const lengths = await primary.pipeline(keys.map((key) => ['HLEN', key]));
  return keys.filter((_, i) => types[i] === 'vectorset' || lengths[i] === 0);
}

/** Asked one by one: a member that is importing refuses a question about several keys of which one is missing. */
async function thoseAt(standby: NodeConnection, keys: readonly Buffer[], asking: boolean): Promise<Buffer[]> {
  const found: Buffer[] = [];
  for (const key of keys) {
    const replies = await standby.pipeline([...(asking ? [['ASKING']] : []), ['EXISTS', key]]);
    if (replies.at(-1) !== 0) found.push(key);
  }
  return found;
}

/** Each once, in an order of its own. */
function shuffled<T>(draw: Draw, all: readonly T[]): T[] {
  const left = [...all];
  return all.flatMap(() => left.splice(draw(left.length), 1));
}
