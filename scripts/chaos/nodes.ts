import { setTimeout as sleep } from 'node:timers/promises';
import { parseInfo } from '../../redis/info.js';
import { until, type Sandbox, type SandboxNode } from '../sandbox/cluster.js';
import type { NodeSample, Sample } from './recording.js';
import type { Target } from './scenario.js';

/**
 * Holds a primary's clients back until its replicas have everything that it has acknowledged, and for `ms` on. Killed or
 * hung in the middle of writes, a primary loses what it acknowledged in its last moment: replication is asynchronous, and
 * nobody's upgrade could help it. With this, no loss is Redis' own, and each that is found counts.
 */
export async function quiesce(
  cluster: Sandbox,
  node: SandboxNode,
  replicas: readonly SandboxNode[],
  ms: number,
): Promise<void> {
  await using connection = await cluster.connect(node);
  // In one: from the pause on, this connection would be held back, too.
  await connection.call('MULTI');
  await connection.call('CLIENT', 'PAUSE', ms);
  await connection.call('INFO', 'replication');
  const [, info] = (await connection.call('EXEC')) as [unknown, string];
  const wanted = Number(parseInfo(info)['master_repl_offset']);
  for (const replica of replicas)
    await until(
      `${replica.address} has what ${node.address} acknowledged`,
      async () => {
        await using it = await cluster.connect(replica);
        const { slave_repl_offset: offset } = parseInfo(String(await it.call('INFO', 'replication'))) as Record<
          string,
          string | undefined
        >;
        return Number(offset) >= wanted;
      },
      Math.min(ms - 500, 2000),
    );
}

/** Stops and wakes a node again and again: it does a fifth of what it could. */
export async function slowDown(cluster: Sandbox, node: SandboxNode, forMs: number): Promise<void> {
  for (const end = Date.now() + forMs; Date.now() < end;) {
    await cluster.signal(node, 'SIGSTOP');
    await sleep(200);
    await cluster.signal(node, 'SIGCONT');
    await sleep(50);
  }
}

/** Nodes of one shard as they were last seen: who serves it, and who follows that node. */
export const shardOf = ({ nodes }: Sample, address: string): NodeSample[] => {
  const own = nodes.find((it) => it.address === address);
  const primary = own?.role === 'replica' ? own.primary : address;
  return nodes.filter((it) => it.address === primary || (it.role === 'replica' && it.primary === primary));
};

/** Whom a fault hits; undefined when there is nobody such now. */
export function targetOf(who: Target, inHand: string, sample: Sample): NodeSample | undefined {
  const own = shardOf(sample, inHand);
  const others = sample.nodes.filter((it) => !own.includes(it) && it.state === 'answers');
  switch (who) {
    case 'node in hand':
      return own.find((it) => it.address === inHand);
    case 'its primary':
      return own.find((it) => it.role === 'primary');
    case 'another primary':
      return others.find((it) => it.role === 'primary' && it.slots > 0);
    case 'another replica':
      return others.find((it) => it.role === 'replica');
  }
}

/** Replicas of the shard that Redis may promote, and that follow. */
export const heirs = (shard: readonly NodeSample[]): NodeSample[] =>
  shard.filter((it) => it.role === 'replica' && it.state === 'answers' && it.promotable && it.linkUp);
