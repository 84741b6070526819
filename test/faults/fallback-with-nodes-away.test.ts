// What people take an upgrade back for is a release whose servers die or hang: those that are left go back at once, without
// whoever is away, and that node goes back last.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ShardView } from '../../model/topology.js';
import { readTopology } from '../../redis/topology.js';
import { Sandbox, type SandboxNode } from '../../scripts/sandbox/cluster.js';
import { readNodes } from '../../scripts/sandbox/node-states.js';
import type { Operation } from '../../scripts/sandbox/operation.js';
import { Stage } from '../../scripts/sandbox/stage.js';
import { Dataset } from '../e2e/stage/dataset.js';
import { readReport } from '../e2e/stage/evidence.js';
import { expectWhole, nodeAt } from '../e2e/stage/nodes.js';

const FROM = '7.0.15';
const TO = '8.0.6';
let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open();
});
afterAll(() => stage[Symbol.asyncDispose]());

/** Until it soaks, every node on the newer release. */
async function upgraded(name: string, cluster: Sandbox, primaries: number): Promise<Operation> {
  await stage.deploy(name, cluster, {
    policy: { fallback: 'standby', soak: '1h', parallelShards: primaries, handover: 'fast', settle: '1s' },
  });
  const upgrade = await stage.start(name, TO);
  await upgrade.until('it soaks', ({ phase }) => phase === 'soaking', 300_000);
  return upgrade;
}

async function shardsOf(cluster: Sandbox): Promise<ShardView[]> {
  const standbys = await standbysOf(cluster);
  const seeds = cluster.nodes.map(({ address }) => address);
  return (await readTopology({ ...cluster.endpoint(), standbys }, seeds)).shards;
}

/** Members that are no nodes of the sandbox. */
async function standbysOf(cluster: Sandbox): Promise<string[]> {
  const own = cluster.nodes.map(({ address }) => address);
  const lines = String(await cluster.ask(own[0], 'CLUSTER', 'NODES'))
    .trim()
    .split('\n');
  return lines.map((line) => line.split(' ')[1]?.split('@')[0] ?? '').filter((it) => !own.includes(it));
}

test.each(['SIGKILL', 'SIGSTOP'] as const)(
  'a replica that is dead, one that hangs, and a primary that gets %s: all go back, and they last',
  async (signal) => {
    await using cluster = await Sandbox.cluster({ release: FROM });
    const dataset = await Dataset.write(cluster, 600);
    const before = await readNodes(cluster);
    const name = `away-${signal.toLowerCase()}`;
    const upgrade = await upgraded(name, cluster, 3);
    const [first, second, third] = await shardsOf(cluster);
    const [dead, hung, primary] = [first?.replicas[0], second?.replicas[0], third?.primary].map((it) =>
      nodeAt(cluster, it?.address),
    ) as [SandboxNode, SandboxNode, SandboxNode];
    await cluster.kill(dead);
    await cluster.signal(hung, 'SIGSTOP');
    if (signal === 'SIGKILL') await cluster.kill(primary);
    else await cluster.signal(primary, signal);

    expect(await upgrade.tell('fallback', { by: 'ana', reason: 'it crashes' })).toHaveProperty('done');
    await upgrade.until('it has ended', ({ result }) => result !== undefined, 420_000);
    const outcome = await upgrade.result();

    expect(outcome.statement).toContain(`back on ${FROM}: all 6 nodes`);
    expect(outcome.result).toBe('fell back');
    await expectWhole(cluster, { release: FROM, before, closed: true });
    await dataset.expectSame(10_000);
    const { cutovers = [], resyncs, verify } = await readReport(outcome);
    expect(cutovers.map(({ shard, from }) => [shard, from]).sort()).toEqual([
      ['shard-1', first?.primary.address],
      ['shard-2', second?.primary.address],
      ['shard-3', third?.replicas[0]?.address],
    ]);
    const order = resyncs.filter(({ release }) => release === FROM);
    for (const [i, node] of [dead, hung, primary].entries()) {
      const own = order.filter(({ shard }) => shard === `shard-${i + 1}`).map((it) => it.node);
      expect(own).toHaveLength(2);
      expect(own.at(-1)).toBe(node.address);
    }
    expect(verify.reduce((sum, { different }) => sum + different, 0)).toBe(0);
  },
  1_800_000,
);

test('a primary that nobody can take over from: nothing is cut over, and it says what is missing', async () => {
  // One primary is no majority without itself.
  await using cluster = await Sandbox.cluster({ release: FROM, primaries: 1 });
  const dataset = await Dataset.write(cluster, 600);
  const before = await readNodes(cluster);
  const upgrade = await upgraded('unserved', cluster, 1);
  const [shard] = await shardsOf(cluster);
  const primary = nodeAt(cluster, shard?.primary.address);
  await upgrade.tell('abort', { by: 'ana' });
  await upgrade.result();
  await cluster.kill(primary);
  const failure = await (await stage.startFallback('unserved', { reason: 'it crashes' })).failure();
  expect(failure.message).toContain(
    `${primary.address} serves slots 0-16383 and does not answer, and nobody has taken over`,
  );
  expect(failure.message).toMatch(/The standby \S+ had all but \S+ \S+ of its stream at \d{4}-/);
  expect(failure.message).toContain(`promote ${shard?.replicas[0]?.address ?? ''} (CLUSTER FAILOVER TAKEOVER there)`);
  expect(failure.message).toContain('Nothing was touched');

  // As it says; the dead primary goes back last.
  const replica = nodeAt(cluster, shard?.replicas[0]?.address);
  await cluster.ask(replica.address, 'CLUSTER', 'FAILOVER', 'TAKEOVER');
  const outcome = await (await stage.startFallback('unserved', { reason: 'it crashes' })).result();
  expect(outcome.result).toBe('completed');
  await expectWhole(cluster, { release: FROM, before, closed: true });
  await dataset.expectSame(10_000);
}, 1_800_000);
