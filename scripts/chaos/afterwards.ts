import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { satisfies } from '../../model/release.js';
import { processesIn } from '../../platforms/process/processes.js';
import { readTopology } from '../../redis/topology.js';
import { until, type Sandbox } from '../sandbox/cluster.js';
import { changedBetween, promotable, readNodes, type NodeState } from '../sandbox/node-states.js';
import type { Violation } from './recording.js';

/** What a node is found with when its upgrade is done, as far as it matters here. */
export interface NodeAfterwards {
  now: NodeState;
  before: NodeState;
  /** Names in the folder that redis-rollout keeps beside the node. */
  kept: readonly string[];
  /** Processes that work in the node's folder. */
  processes: number;
  /** The upgrade was finalized: until then what the node was like before is kept for the way back. */
  finalized: boolean;
}

/** What is otherwise than it was, or lies about, after an upgrade that came to its end. */
export function leftOver(
  { now, before, kept, processes, finalized }: NodeAfterwards,
  to: string,
  at: string,
): Violation[] {
  const found: [string, string][] = [];
  if (!satisfies(now.release, to)) found.push(['not upgraded', `runs ${now.release}`]);
  if (now.clusterState !== 'ok') found.push(['unhealthy afterwards', `cluster_state:${now.clusterState}`]);
  for (const [name, [was, is]] of Object.entries(changedBetween(before, now)))
    found.push(['different configuration', `${name} was ${was}, is ${is}`]);
  if (promotable(now) !== promotable(before))
    found.push([
      'different configuration',
      `${promotable(before) ?? '?'} was its protection, is ${promotable(now) ?? '?'}`,
    ]);
  const set = kept.filter((name) => /^(kept-|staging-|before-swap$|untrusted$)/.test(name));
  for (const name of [...now.left.filter((it) => finalized || it !== 'origin'), ...set])
    found.push(['left behind', name]);
  if (processes !== 1) found.push(['left behind', `${processes} processes work in its folder`]);
  return found.map(([invariant, what]) => ({ invariant, at, node: now.address, what }));
}

/**
 * Looks at every node once all of them see the same healthy cluster.
 *
 * @throws Error when they don't within half a minute
 */
export async function checkAfterwards(
  cluster: Sandbox,
  before: readonly NodeState[],
  { to, finalized }: { to: string; finalized: boolean },
): Promise<Violation[]> {
  await until('every node sees the same healthy cluster', async () => {
    const { disagreements } = await readTopology(
      cluster.endpoint(),
      cluster.nodes.map(({ address }) => address),
    );
    if (disagreements.length > 0) throw new Error(disagreements.join('; '));
    return true;
  });
  const nodes = await readNodes(cluster);
  const at = new Date().toISOString();
  const roles = (states: readonly NodeState[]): number => states.filter(({ role }) => role === 'master').length;
  const found = await Promise.all(
    cluster.nodes.map(async ({ home }, i) => {
      const [now, was] = [nodes[i], before[i]];
      if (!now || !was) throw new Error(`${home} was not read`);
      const kept = await readdir(join(home, '.rollout')).catch(() => []);
      const processes = (await processesIn(home, [])).length;
      return leftOver({ now, before: was, kept, processes, finalized }, to, at);
    }),
  );
  const primaries: Violation[] =
    roles(nodes) === roles(before)
      ? []
      : [
          {
            invariant: 'different topology',
            at,
            node: '',
            what: `${roles(before)} primaries before, ${roles(nodes)} now`,
          },
        ];
  return [...found.flat(), ...primaries];
}
