import { expect, test } from 'vitest';
import { handOver } from '../../../redis/handover.js';
import { readTopology } from '../../../redis/topology.js';
import { Sandbox, until } from '../../../scripts/sandbox/cluster.js';

const [primary, sibling, successor] = [0, 6, 3] as const;

const clusterOf = (release: string): Promise<Sandbox> => Sandbox.cluster({ release, replicasEach: 2 });

function inputFor(cluster: Sandbox) {
  const address = (i: number): string => cluster.nodes[i]?.address ?? '';
  return {
    endpoint: cluster.endpoint(),
    from: address(primary),
    to: address(successor),
    siblings: [address(sibling)],
    nodes: cluster.nodes.map((node) => node.address),
    confirmWithinMs: 20_000,
  };
}

test.each(['5.0.6', '8.0', 'valkey-9.1'])(
  'safe on %s: every node shows the new roles, and a second call changes nothing',
  async (release) => {
    await using cluster = await clusterOf(release);
    const input = inputFor(cluster);
    const first = await handOver({ ...input, mode: 'safe' });
    expect(first).toMatchObject({ mode: 'safe', already: false });
    expect(first.ms).toBeGreaterThan(0);
    let topology = await readTopology(cluster.endpoint(), [input.to]);
    await until('every node sees every role', async () => {
      topology = await readTopology(cluster.endpoint(), [input.to]);
      return topology.disagreements.length === 0;
    });
    expect(topology.shards[0]?.primary.address).toBe(input.to);
    expect(topology.shards[0]?.replicas.map((it) => it.replication?.primary)).toEqual([input.to, input.to]);
    expect(await handOver({ ...input, mode: 'safe' })).toMatchObject({ already: true });
  },
);

test.each(['6.2', '8.0', 'valkey-9.1'])(
  'fast on %s: the takeover is coordinated and writes go on at once',
  async (release) => {
    await using cluster = await clusterOf(release);
    const input = inputFor(cluster);
    expect(await handOver({ ...input, mode: 'fast' })).toMatchObject({ mode: 'fast', already: false });
    await using node = await cluster.connect(cluster.nodes[successor]);
    expect(await node.call('SET', '{06S}a', '1')).toBe('OK');
  },
);

test('fast on 5.0.6 falls back to safe and says why', async () => {
  await using cluster = await clusterOf('5.0.6');
  const input = inputFor(cluster);
  const result = await handOver({ ...input, mode: 'fast' });
  expect(result.mode).toBe('safe');
  expect(result.fellBack).toMatch(/Redis 5\.0\.6.*6\.2/);
});

test('a failover that says OK and does not happen is found out', async () => {
  // With both other primaries hung, the old one's vote alone is no majority: accepted, started, never elected.
  await using cluster = await clusterOf('8.0');
  const input = inputFor(cluster);
  const hung = [1, 2].flatMap((i) => cluster.nodes[i] ?? []);
  await Promise.all(hung.map((node) => cluster.signal(node, 'SIGSTOP')));
  try {
    const failure: unknown = await handOver({ ...input, mode: 'safe' }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ type: 'HandoverFailed' });
    expect(String(failure)).toMatch(/serves on/);
    await using old = await cluster.connect(cluster.nodes[primary]);
    expect(((await old.call('ROLE')) as [string])[0]).toBe('master');
  } finally {
    await Promise.all(hung.map((node) => cluster.signal(node, 'SIGCONT')));
  }
}, 600_000);

test.each(['safe', 'fast'] as const)(
  '%s after somebody else failed the shard over: refused, and nothing changes',
  async (mode) => {
    await using cluster = await clusterOf('8.0');
    const input = inputFor(cluster);
    const [old, by] = [cluster.nodes[primary], cluster.nodes[sibling]];
    await using usurper = await cluster.connect(by);
    await usurper.call('CLUSTER', 'FAILOVER');
    const shown = async (): Promise<string[]> =>
      (await readTopology(cluster.endpoint(), [old?.address ?? ''])).disagreements;
    await until('the other replica is primary, and all agree', async () => {
      const [role] = (await usurper.call('ROLE')) as [string];
      return role === 'master' && (await shown()).length === 0;
    });
    const epoch = async (): Promise<string | undefined> =>
      /cluster_current_epoch:(\d+)/.exec(String(await usurper.call('CLUSTER', 'INFO')))?.[1];
    const before = await epoch();

    const failure: unknown = await handOver({ ...input, mode }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ type: 'HandoverFailed' });
    expect(String(failure)).toContain(`${input.from} is no primary any more, ${by?.address} is`);
    const { shards } = await readTopology(cluster.endpoint(), [input.to]);
    expect(shards[0]?.primary.address).toBe(by?.address);
    expect(await epoch()).toBe(before);
  },
  600_000,
);

test("a replica of another shard's primary is refused", async () => {
  await using cluster = await Sandbox.cluster({ release: '6.2' });
  const [from, other] = [cluster.nodes[0]?.address ?? '', cluster.nodes[4]?.address ?? ''];
  const failure: unknown = await handOver({ ...inputFor(cluster), siblings: [], from, to: other, mode: 'safe' }).catch(
    (error: unknown) => error,
  );
  expect(failure).toMatchObject({ type: 'HandoverFailed' });
  expect(String(failure)).toContain(`${other} replicates ${cluster.nodes[1]?.address}`);
});

test("a replica of another shard that hangs doesn't keep a handover from being confirmed", async () => {
  await using cluster = await clusterOf('8.0');
  const input = inputFor(cluster);
  const hung = cluster.nodes[4];
  if (!hung) throw new Error('the sandbox has nine nodes');
  await cluster.signal(hung, 'SIGSTOP');
  expect(await handOver({ ...input, mode: 'safe' })).toMatchObject({ mode: 'safe', already: false });
}, 600_000);
