/**
 * Thousands of commands of every type, drawn at random, on a real newer server, followed into a real older one by two
 * followers in processes of their own; they are killed, their links cut, the standby is set back. In the end both servers
 * hold the same.
 *
 * `SEED=n` draws the same commands and faults again (it stands in each test's name; their moments are never quite the
 * same). ROLLOUT_THOROUGH=1 takes more pairs of releases, and five times as many commands.
 */
import { expect, test } from 'vitest';
import { at, type NodeConnection } from '../../../redis/connection.js';
import { setExpiriesRight } from '../../../redis/follow/expiries.js';
import { isDrained, readRecord } from '../../../redis/follow/record.js';
import { readInfo } from '../../../redis/node.js';
import { EXPIRY_MARGIN_MS, followKey } from '../../../redis/standby/point.js';
import { Sandbox, until, type SandboxNode } from '../../../scripts/sandbox/cluster.js';
import { Toxiproxy } from '../../../scripts/sandbox/toxiproxy.js';
import { drawing, type Draw } from '../rewrite/random-commands.js';
import { differences, freezeEmpty } from './followed.js';
import { Killable } from './killable.js';
import { databases, randomLoad } from './random-load.js';

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
const thorough = process.env['ROLLOUT_THOROUGH'] === '1';
const statements = 200;
const roundsBetween = thorough ? 10 : 2;
const record = followKey([]);

const pairs: [source: string, target: string][] = [
  ['8.2.3', '6.2.14'],
  ['valkey-9.1.2', '7.2.4'],
  ['7.0.15', '5.0.6'],
];
const more: [source: string, target: string][] = [
  ['8.2.3', '5.0.6'],
  ['8.2.3', '7.2.4'],
  ['valkey-9.1.2', '5.0.6'],
  ['8.0.6', '7.4.1'],
];

test.each(thorough ? [...pairs, ...more] : pairs)(
  `%s → %s (SEED=${seed})`,
  async (source, target) => {
    const draw = drawing(seed);
    await using a = await Sandbox.servers(1, { release: source, configuration: ['repl-backlog-size 256mb'] });
    await using b = await Sandbox.servers(1, { release: target });
    const [standbyNode] = b.nodes;
    if (!standbyNode) throw new Error('a node');
    await using primary = await a.connect(undefined, { timeoutMs: 60_000 });
    {
      await using standby = await b.connect();
      await freezeEmpty(a.endpoint(), standby);
    }
    await using toxiproxy = await Toxiproxy.start();
    const toPrimary = await toxiproxy.proxy('primary', a.nodes[0]?.address ?? '');
    const toStandby = await toxiproxy.proxy('standby', standbyNode.address);
    const input = {
      primary: at(a.endpoint(), toPrimary.address),
      standby: at(b.endpoint(), toStandby.address),
      ...{ source, target, slots: [] },
    };
    await using first = new Killable(input).start();
    await using second = new Killable(input).start();
    const restart = async (it: Killable): Promise<void> => {
      await it.kill();
      it.start();
    };
    const cut = async (proxy: typeof toPrimary): Promise<void> => {
      await proxy.cut();
      await proxy.mend();
    };
    const faults: (() => Promise<unknown>)[] = [
      () => restart(first),
      () => restart(second),
      () => Promise.all([restart(first), restart(second)]),
      () => cut(toPrimary),
      () => cut(toStandby),
      () => primary.call('CLIENT', 'KILL', 'TYPE', 'replica'),
      () => setBack(b, standbyNode),
    ];
    const next = randomLoad(source, draw);
    let accepted = 0;
    let sent = 0;
    const write = async (): Promise<void> => {
      const commands = Array.from({ length: statements }, () => next(Date.now())).flat();
      sent += commands.length;
      accepted += (await primary.pipeline(commands)).filter((it) => !(it instanceof Error)).length;
    };
    for (const fault of shuffled(draw, faults)) {
      for (let round = 0; round < roundsBetween; round++) await write();
      await fault();
      await write();
      const offset = await offsetOf(primary);
      await until('somebody has gone on', async () => {
        for (const it of [first, second]) if (it.failure !== undefined) throw new Error(it.failure);
        await using standby = await b.connect();
        return ((await readRecord(standby, { record, cluster: false }))?.offset ?? 0) >= offset;
      }).catch((error: unknown) => {
        throw new Error(`${String(error)}: ${JSON.stringify([first.state, second.state])}`, { cause: error });
      });
    }
    expect(accepted).toBeGreaterThan(sent * 0.7);
    await sameInTheEnd(a, b, EXPIRY_MARGIN_MS);
    {
      await using standby = await b.connect();
      await setExpiriesRight({ standby, record, slots: [], marginMs: 5000, withinMs: 20_000 });
    }
    await write();
    await sameInTheEnd(a, b, 5000);
    for (const it of [first, second]) expect(it).toMatchObject({ failure: undefined, copies: 0 });
    expect(first.recopied + second.recopied).toBeGreaterThan(0);
  },
  thorough ? 900_000 : 120_000,
);

/** The standby loses what came after its last snapshot. */
async function setBack(b: Sandbox, node: SandboxNode): Promise<void> {
  await using standby = await b.connect();
  await standby.call('SAVE');
  await b.kill(node);
  await b.start(node);
}

const offsetOf = async (primary: NodeConnection): Promise<number> =>
  Number((await readInfo(primary, 'replication'))['master_repl_offset']);

/** What was given a few milliseconds to live ends by the primary's own DEL or HDEL, in its own time. */
async function sameInTheEnd(a: Sandbox, b: Sandbox, marginMs: number): Promise<void> {
  await using primary = await a.connect(undefined, { timeoutMs: 60_000 });
  await using standby = await b.connect(undefined, { timeoutMs: 60_000 });
  let found: string[] = [];
  let keys = 0;
  const compare = async (): Promise<boolean> => {
    found = [];
    keys = 0;
    for (const db of databases) {
      await Promise.all([primary.call('SELECT', db), standby.call('SELECT', db)]);
      const names = (await primary.callBuffer('KEYS', '*')) as Buffer[];
      keys += names.length;
      // What it can't hold, it has nothing of.
      const others = await notHeld(primary, names);
      if (others.length > 0 && Number(await standby.call('EXISTS', ...others)) > 0)
        found.push(`${db}/ some of ${others.map(String).join(' ')}`);
      const passed = new Set(others.map(String));
      for (const it of await differences(a.endpoint(), b.endpoint(), { db, marginMs }))
        if (!passed.has(it.replace(/: expires in .*/, ''))) found.push(`${db}/${it}`);
    }
    await Promise.all([primary.call('SELECT', 0), standby.call('SELECT', 0)]);
    return found.length === 0;
  };
  try {
    await until('the same on both', async () => {
      const offset = await offsetOf(primary);
      return (await isDrained(standby, { record, cluster: false, offset })) && (await compare());
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

/** Each once, in an order of its own. */
function shuffled<T>(draw: Draw, all: readonly T[]): T[] {
  const left = [...all];
  return all.flatMap(() => left.splice(draw(left.length), 1));
}
