// A primary gives one vote an epoch: of two elections at the same time one is lost, and writes are held for 5 s for nothing.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { takeVoteTurn } from '../../../activities/vote-turn.js';
import { handOver } from '../../../redis/handover.js';
import { parseInfo } from '../../../redis/info.js';
import { Sandbox, until, type SandboxNode } from '../../../scripts/sandbox/cluster.js';
import { usually } from '../../thorough.js';

const SHARDS = 12;

test.each(usually(1, ['5.0.6', '8.0']))(
  'twelve shards of %s handed over at once: each by its first election',
  async (release) => {
    await using cluster = await Sandbox.cluster({ release, primaries: SHARDS, replicasEach: 1 });
    const folder = await mkdtemp(join(tmpdir(), 'redis-rollout-turns-'));
    try {
      const results = await Promise.all(
        Array.from({ length: SHARDS }, (_, i) =>
          handOver({
            ...inputFor(cluster, i, i + SHARDS),
            takeVoteTurn: () => takeVoteTurn(folder, new AbortController().signal),
          }),
        ),
      );
      expect(results.map(({ mode, already }) => ({ mode, already }))).toEqual(
        results.map(() => ({ mode: 'safe', already: false })),
      );
      const logs = await Promise.all(cluster.nodes.map(({ home }) => readFile(join(home, 'redis.log'), 'utf8')));
      expect(count(logs, 'Starting a failover election')).toBe(SHARDS);
      expect(count(logs, 'Manual failover timed out')).toBe(0);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
);

test('an election that was lost is tried again, and won', async () => {
  await using cluster = await Sandbox.cluster({
    release: '8.0',
    configuration: ['cluster-node-timeout 2000'],
  });
  const others = [cluster.nodes[1], cluster.nodes[2]].filter((node) => node !== undefined);
  const input = inputFor(cluster, 0, 3);
  let turns = 0;
  const result = await handOver({
    ...input,
    takeVoteTurn: async () => {
      // One vote of three elects nobody; without a majority no replica of theirs is promoted either.
      if (++turns === 1) for (const node of others) await cluster.kill(node);
      else await until('the cluster is whole', () => allOk(cluster, cluster.nodes));
      return {
        afterEpoch: 0,
        end: async () => {
          if (turns === 1) for (const node of others) await cluster.start(node);
        },
      };
    },
  });
  expect(turns).toBe(2);
  expect(result).toMatchObject({ mode: 'safe', already: false });
  const [old, next] = [await logOf(cluster.nodes[0]), await logOf(cluster.nodes[3])];
  expect(count([next], 'Starting a failover election')).toBe(2);
  // It is asked for only once an election can begin: writes are not held a second time for nothing.
  expect(count([old, next], 'Manual failover timed out')).toBe(2);
}, 240_000);

function inputFor(cluster: Sandbox, from: number, to: number) {
  const address = (i: number): string => cluster.nodes[i]?.address ?? '';
  return {
    endpoint: cluster.endpoint(),
    from: address(from),
    to: address(to),
    siblings: [],
    nodes: cluster.nodes.map((node) => node.address),
    mode: 'safe' as const,
    confirmWithinMs: 20_000,
  };
}

const count = (logs: readonly string[], text: string): number =>
  logs.reduce((sum, log) => sum + log.split(text).length - 1, 0);

const logOf = (node: SandboxNode | undefined): Promise<string> => readFile(join(node?.home ?? '', 'redis.log'), 'utf8');

async function allOk(cluster: Sandbox, nodes: readonly SandboxNode[]): Promise<boolean> {
  const states = await Promise.all(
    nodes.map(async (node) => parseInfo(String(await cluster.ask(node.address, 'CLUSTER', 'INFO')))['cluster_state']),
  );
  return states.every((state) => state === 'ok');
}
