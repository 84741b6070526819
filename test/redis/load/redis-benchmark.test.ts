// Figures of a benchmark that are none: of a program that failed, or of a server that did something else meanwhile.
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { assumedShape } from '../../../model/load-shape.js';
import { findServers, newestFor } from '../../../platforms/process/servers.js';
import { redisBenchmark } from '../../../redis/load/redis-benchmark.js';
import { watchUsage } from '../../../redis/load/usage.js';
import { Sandbox } from '../../../scripts/sandbox/cluster.js';

const { signal } = new AbortController();

async function programOf(release: string): Promise<string> {
  const servers = await findServers();
  const server = servers.get(newestFor(servers.keys(), release) ?? '');
  return join(dirname(server ?? ''), `${release.startsWith('valkey') ? 'valkey' : 'redis'}-benchmark`);
}

test.each(['6.0', 'valkey-9.1'])(
  'the benchmark of %s tells requests a second, and the server what they took',
  async (release) => {
    await using servers = await Sandbox.servers(1, { release: '5.0.6' });
    const [node] = servers.nodes;
    if (!node) throw new Error('no server');
    const usageSince = await watchUsage(servers.endpoint(node), [node.address]);
    const input = { port: node.port, requests: 500, shape: assumedShape };
    const found = await redisBenchmark({ ...input, program: await programOf(release) }, signal);
    expect(Object.keys(found)).toEqual(['set', 'get', 'hset', 'hgetall']);
    for (const perSecond of Object.values(found)) expect(perSecond).toBeGreaterThan(1);
    const { serviceUs, cpuMsPerThousand, usedMemoryBytes, fragmentation } = await usageSince();
    expect(Object.keys(serviceUs).sort()).toEqual(['hash read', 'hash write', 'string read', 'string write']);
    for (const it of [cpuMsPerThousand, usedMemoryBytes, fragmentation, ...Object.values(serviceUs)])
      expect(it).toBeGreaterThan(0);
  },
);

test('a benchmark that reaches nobody is a failure with what it said, and no figure', async () => {
  const input = { port: 1, requests: 100, shape: assumedShape, program: await programOf('6.0') };
  await expect(redisBenchmark(input, signal)).rejects.toMatchObject({
    type: 'StartFailed',
    message: expect.stringMatching(/redis-benchmark ended with 1: .*Connection refused/) as string,
  });
});
