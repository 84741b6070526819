import { expect, test } from 'vitest';
import { assumedShape, playable, type LoadShape, type PlayableCommand } from '../../../model/load-shape.js';
import { clearLoad, fillLoad, playLoad } from '../../../redis/load/process.js';
import type { LoadInput } from '../../../redis/load/open-load.js';
import { Sandbox } from '../../../scripts/sandbox/cluster.js';
import { keys } from '../probe/probed-cluster.js';

const { signal } = new AbortController();

const inputFor = (cluster: Sandbox, shape: Partial<LoadShape> = {}): LoadInput => ({
  seeds: [cluster.nodes[0]?.address ?? ''],
  endpoint: cluster.endpoint(),
  shape: { ...assumedShape, keys: { ...assumedShape.keys, count: 2000 }, ratePerSecond: 1000, ...shape },
  ...{ seed: 5, prefix: 'load', warmUpMs: 500, forMs: 2000, connections: 2 },
});

test.each(['5.0.6', '8.0'])(
  '%s: every command that can be played is answered, and its keys go again',
  async (release) => {
    await using cluster = await Sandbox.cluster({ release, replicasEach: 0 });
    const names = Object.keys(playable) as PlayableCommand[];
    const input = inputFor(cluster, {
      commands: names.map((name) => ({ name, share: 1 / names.length })),
      readShare: 0.5,
    });
    await fillLoad(input, signal);
    expect(await keys(cluster, cluster.nodes)).toBeGreaterThan(1900);
    const result = await playLoad(input, signal);
    expect(result.failures).toEqual({});
    expect(Object.keys(result.classes).sort()).toEqual([...new Set(Object.values(playable))].sort());
    const { operations, latency, ratePerSecond } = result;
    // A Poisson process of 2,000 events: five standard deviations.
    expect(Math.abs(operations - 2000)).toBeLessThan(5 * Math.sqrt(2000));
    expect(ratePerSecond).toBe(Math.round(operations / 2));
    expect(latency.p50).toBeGreaterThan(0);
    expect(latency.max).toBeGreaterThanOrEqual(latency.p999 * 0.99);
    await clearLoad(input, signal);
    expect(await keys(cluster, cluster.nodes)).toBe(0);
  },
);

test('a node that stands still for a second shows in every command that was due meanwhile', async () => {
  await using cluster = await Sandbox.cluster({ release: '7.0', replicasEach: 0 });
  const input = inputFor(cluster);
  await fillLoad(input, signal);
  const [first] = cluster.nodes;
  if (!first) throw new Error('no node');
  const playing = playLoad({ ...input, warmUpMs: 0, forMs: 4000 }, signal);
  // It plays once the server has had commands that the filling did not send.
  for (let at = 0, calls = 0; calls < 100; calls = (await callsOf(cluster, first.address, 'get')) - at) at ||= calls;
  await cluster.signal(first, 'SIGSTOP');
  await new Promise((resolve) => setTimeout(resolve, 1000));
  await cluster.signal(first, 'SIGCONT');
  const { operations, latency, failed } = await playing;
  expect(failed).toBe(0);
  expect(latency.max).toBeGreaterThan(900);
  // A third of a second's commands waited: with one waiting client it would have been a single one.
  expect(latency.p90).toBeLessThan(latency.max);
  expect(latency.p99).toBeGreaterThan(100);
  expect(operations).toBeGreaterThan(3000);
});

test('a node that is out of memory fails the filling, and says so', async () => {
  await using cluster = await Sandbox.cluster({
    ...{ release: '8.0', replicasEach: 0 },
    configuration: ['maxmemory 3mb', 'maxmemory-policy noeviction'],
  });
  const input = inputFor(cluster, { valueSizes: [{ upTo: 50_000, share: 1 }] });
  await expect(fillLoad(input, signal)).rejects.toMatchObject({
    type: 'TargetFull',
    message: expect.stringMatching(/^the load's keys could not be written: OOM /) as string,
  });
});

test('whoever stops waiting ends the load’s process', async () => {
  await using cluster = await Sandbox.cluster({ release: '8.0', replicasEach: 0 });
  const end = new AbortController();
  const playing = playLoad({ ...inputFor(cluster), forMs: 600_000 }, end.signal);
  while ((await callsOf(cluster, cluster.nodes[0]?.address, 'get')) < 10);
  end.abort();
  await expect(playing).rejects.toMatchObject({ name: 'AbortError' });
});

async function callsOf(cluster: Sandbox, address: string | undefined, command: string): Promise<number> {
  const text = String(await cluster.ask(address, 'INFO', 'commandstats'));
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(text)?.[1] ?? 0);
}
