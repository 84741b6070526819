import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { at, connect } from '../../../redis/connection.js';
import { handOver } from '../../../redis/handover.js';
import { takeOver, type Takeover } from '../../../redis/takeover.js';
import { Sandbox, until } from '../../../scripts/sandbox/cluster.js';
import { intercepted } from './intercepted.js';

/** Its slot is the first shard's. */
const key = (i: number): string => `{06S}:${i}`;

function shardOf(cluster: Sandbox) {
  const [old, , , next] = cluster.nodes;
  if (!old || !next) throw new Error('the sandbox has six nodes');
  const nodes = cluster.nodes.map((node) => node.address);
  return { old, next, input: { endpoint: cluster.endpoint(), from: old.address, to: next.address, nodes } };
}

type Shard = ReturnType<typeof shardOf>;

/** Writes one after the other until the node refuses one; the numbers of those that it acknowledged. */
async function writer(cluster: Sandbox) {
  const connection = await cluster.connect(cluster.nodes[0], { timeoutMs: 60_000 });
  const acknowledged: number[] = [];
  const done = (async () => {
    for (let i = 0; ; i++) {
      try {
        await connection.call('SET', key(i), i);
      } catch {
        return;
      }
      acknowledged.push(i);
    }
  })();
  return {
    acknowledged,
    done,
    [Symbol.asyncDispose]() {
      connection.close();
      return done;
    },
  };
}

/** Another attempt where this process stood still for so long that the pause may have run out: that is no fault of it. */
async function whileAwake(attempt: () => Promise<Takeover | { refused: string }>): Promise<void> {
  for (let left = 3; left > 0; left--) {
    const outcome = await attempt();
    expect(outcome).toMatchObject({ ms: expect.any(Number) as number });
    if ('held' in outcome && outcome.held) return;
  }
  throw new Error('this process stood still for seconds, thrice in a row');
}

test.each(['6.2', '8.0', 'valkey-9.1'])(
  'on %s a takeover command that comes late, after the pause would have ended: no acknowledged write is lost',
  (release) =>
    whileAwake(async () => {
      await using cluster = await Sandbox.cluster({ release });
      const { next, input } = shardOf(cluster);
      await using writes = await writer(cluster);
      const held: number[] = [];
      await using late = await intercepted(cluster, next, 'TAKEOVER', async () => {
        held.push(writes.acknowledged.length);
        await sleep(3500);
        held.push(writes.acknowledged.length);
        return 'pass';
      });
      const outcome = await takeOver(input, late.connection);
      if ('held' in outcome && outcome.held) expect(held[1]).toBe(held[0]);
      await writes.done;
      await using successor = await cluster.connect(next);
      const kept = (await successor.call('MGET', ...writes.acknowledged.map(key))) as (string | null)[];
      expect(kept.length).toBeGreaterThan(0);
      expect(kept.map(Number)).toEqual(writes.acknowledged);
      return outcome;
    }),
  200_000,
);

/** Keeps the old primary from hearing who took over from it; returns what ends that. */
const deafen = {
  // A node that was forgotten is nobody whose claims count, until it is met again. From 7.2 on others would forget it, too.
  '6.2': async (cluster: Sandbox, { old, next }: Shard) => {
    await cluster.ask(old.address, 'CLUSTER', 'FORGET', String(await cluster.ask(next.address, 'CLUSTER', 'MYID')));
    return () => cluster.ask(old.address, 'CLUSTER', 'MEET', '127.0.0.1', String(next.port));
  },
  // -2 stands for every packet, with Valkey only.
  'valkey-9.1': async (cluster: Sandbox, { old }: Shard) => {
    const drop = (type: string) => cluster.ask(old.address, 'DEBUG', 'DROP-CLUSTER-PACKET-FILTER', type);
    await drop('-2');
    return () => drop('-1');
  },
};

test.each([
  ['6.2', 'is written to'],
  ['6.2', 'is not written to'],
  ['valkey-9.1', 'is written to'],
] as const)(
  'on %s the pause runs out before the old primary hears of its successor, and it %s',
  async (release, then) => {
    await using cluster = await Sandbox.cluster({
      release,
      configuration: release === '6.2' ? [] : ['enable-debug-command local'],
    });
    const shard = shardOf(cluster);
    const { old, next, input } = shard;
    let hear = (): Promise<unknown> => Promise.reject(new Error('nobody took over'));
    let renew = (): void => undefined;
    const renewed = new Promise<void>((resolve) => (renew = resolve));
    await using taking = await intercepted(cluster, next, 'TAKEOVER', async () => {
      hear = await deafen[release](cluster, shard);
      return 'pass';
    });
    let pauses = 0;
    await using held = await intercepted(cluster, old, 'PAUSE', async () => {
      if (pauses++ > 0) await renewed;
      return 'pass';
    });
    const handover = handOver({
      ...{ ...input, siblings: [], mode: 'fast', confirmWithinMs: 30_000 },
      connectToAct: (address) => Promise.resolve((address === next.address ? taking : held).connection),
    }).then(
      () => 'done',
      (error: unknown) => error,
    );
    await until('the successor serves', async () => {
      const [role] = (await cluster.ask(next.address, 'ROLE')) as [string];
      return role === 'master';
    });
    if (then === 'is written to') {
      await using client = await cluster.connect(old, { timeoutMs: 60_000 });
      expect(await client.call('SET', key(0), 'seen by nobody else')).toBe('OK');
    } else await sleep(3000);
    await hear();
    renew();
    if (then === 'is written to')
      expect(await handover).toMatchObject({
        type: 'Lost',
        message: expect.stringContaining(
          `${old.address} could not go on from where ${next.address} took over`,
        ) as string,
      });
    else expect(await handover).toBe('done');
  },
  120_000,
);

test('a successor that is lost with the command on its way: writes are held, then it says that it does not know', async () => {
  await using cluster = await Sandbox.cluster({ release: '8.0' });
  const { old, next, input } = shardOf(cluster);
  await using writes = await writer(cluster);
  let before = -1;
  await using lost = await intercepted(cluster, next, 'TAKEOVER', () => {
    before = writes.acknowledged.length;
    return Promise.resolve('cut');
  });
  const failure: unknown = await takeOver(input, lost.connection).catch((error: unknown) => error);
  expect(writes.acknowledged.length).toBe(before);
  expect(failure).toMatchObject({ type: 'RolesUnsettled' });
  expect(String(failure)).toMatch(/both call themselves primary/);
  await using connection = await cluster.connect(old);
  expect(await connection.call('SET', key(-1), 'written')).toBe('OK');
}, 600_000);

test('a takeover that the server refuses: writes go on at once, and safe can be tried', async () => {
  await using cluster = await Sandbox.cluster({
    release: '8.0',
    configuration: ['user meek on nopass ~* &* +@all -cluster|failover'],
  });
  const { old, input } = shardOf(cluster);
  await using meek = await cluster.connect(cluster.nodes[3]);
  await meek.call('AUTH', 'meek', 'any');
  expect(await takeOver(input, meek)).toMatchObject({ refused: expect.stringMatching(/NOPERM/) as string });
  await using connection = await cluster.connect(old);
  expect(await connection.call('SET', key(0), 'written')).toBe('OK');
});

test('the old primary dies with the takeover on its way: nothing is lost, and its end is no doubt about who serves', async () => {
  // Nobody else promotes anybody meanwhile.
  await using cluster = await Sandbox.cluster({ release: '8.0', configuration: ['cluster-node-timeout 60000'] });
  const { old, next, input } = shardOf(cluster);
  await using writes = await writer(cluster);
  await using late = await intercepted(cluster, next, 'TAKEOVER', async () => {
    await cluster.kill(old);
    return 'pass';
  });
  const hands = { ...input, siblings: [], mode: 'fast' as const, confirmWithinMs: 20_000 };
  const hasEnded = async (): Promise<boolean> => (await cluster.pids(old)).length === 0;
  const first: unknown = await handOver({
    ...hands,
    hasEnded,
    connectToAct: (address) =>
      address === next.address ? Promise.resolve(late.connection) : connect(at(input.endpoint, address)),
  }).catch((error: unknown) => error);
  expect(first).toMatchObject({ type: 'RolesUnsettled' });
  await writes.done;

  await expect(handOver({ ...hands, confirmWithinMs: 0 })).rejects.toMatchObject({
    type: 'RolesUnsettled',
    message: expect.stringContaining(`${old.address} can't be reached`) as string,
  });
  expect(await handOver({ ...hands, hasEnded })).toMatchObject({ already: true });
  await using successor = await cluster.connect(next);
  const kept = (await successor.call('MGET', ...writes.acknowledged.map(key))) as (string | null)[];
  expect(kept.length).toBeGreaterThan(0);
  expect(kept.map(Number)).toEqual(writes.acknowledged);
}, 120_000);

test('a failover that is refused as the old primary dies: it is not said to serve on', async () => {
  await using cluster = await Sandbox.cluster({
    release: '8.0',
    configuration: ['cluster-node-timeout 60000', 'user meek on nopass ~* &* +@all -cluster|failover'],
  });
  const { old, next, input } = shardOf(cluster);
  await using meek = await intercepted(cluster, next, 'FAILOVER', async () => {
    await cluster.kill(old);
    return 'pass';
  });
  await meek.connection.call('AUTH', 'meek', 'any');
  const handover = handOver({
    ...{ ...input, siblings: [], mode: 'safe', confirmWithinMs: 20_000 },
    connectToAct: () => Promise.resolve(meek.connection),
  });
  await expect(handover).rejects.toMatchObject({
    type: 'HandoverFailed',
    message: expect.stringMatching(
      `NOPERM.*; ${old.address} does not say whether it serves on \\(${old.address} can't be reached`,
    ) as string,
  });
});
