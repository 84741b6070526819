import { NOT_TOUCHED } from '../../model/fallback-standing.js';
import type { OperationStatus } from '../../model/operation.js';
import { satisfies } from '../../model/release.js';
import { allNodes } from '../../model/topology.js';
import type { SimulatedNode } from './cluster.js';
import { TO } from './attempts.js';
import type { SimulatedDeployment } from './deployment.js';
import { invariants } from './invariants.js';

/** What a node lacks to be upgraded, in replication and promotable; undefined when nothing. */
export function unfinished({ address, release, up, noFailover, role, link }: SimulatedNode): string | undefined {
  if (up && satisfies(release, TO) && !noFailover && (role === 'primary' || link === 'up')) return undefined;
  return `${address}: ${release}, ${up ? 'up' : 'down'}, ${noFailover ? 'kept from promotion' : 'promotable'}, link ${link}`;
}

/** Compares what an operation says at its end with what is: node by node, and the statement's own numbers. */
export function checkStatement(deployment: SimulatedDeployment, status: OperationStatus): void {
  const { cluster } = deployment;
  const { result, statement = '' } = status;
  const untrue = (found: string): void => deployment.tell(invariants.statement, found);
  if (result === undefined) untrue(`it has ended with a status that says ${status.phase}`);
  if (result === 'completed') {
    for (const node of cluster.nodes) {
      const found = unfinished(node);
      if (found !== undefined) deployment.tell(invariants.completed, found);
    }
    return;
  }
  const told = new Map(status.shards.flatMap(({ nodes }) => nodes).map((node) => [node.address, node]));
  for (const node of cluster.nodes) {
    const said = told.get(node.address);
    // Where it ended before anything was read, nothing is said of any node, and nothing was done to any.
    if (!said) {
      if (node.before?.released === false && told.size > 0) untrue(`${node.address} is in hand and not mentioned`);
      continue;
    }
    const done = node.up && satisfies(node.release, TO) && node.before?.released !== false;
    if (said.state === 'upgraded' && !satisfies(node.release, TO))
      untrue(`${node.address} is said to be upgraded and runs ${node.release}`);
    if (said.state === 'waiting' && done && node.swapped) untrue(`${node.address} is upgraded and said to be waiting`);
    const inHand = node.before?.released === false;
    if (inHand && said.state !== 'failed' && said.state !== 'in progress' && said.state !== 'waiting')
      untrue(`${node.address} was isolated and never released, and is said to be ${said.state}`);
    if (inHand && node.swapped && !statement.includes(node.address))
      untrue(`${node.address} is left in the middle and the statement doesn't name it: ${statement}`);
  }
  const count = /^(\d+) of (\d+) nodes run/m.exec(statement);
  if (!count) {
    if (!statement.endsWith(NOT_TOUCHED)) untrue(`it doesn't say how many nodes run what: ${statement}`);
    return;
  }
  // By their own word where the nodes could be read at the end, else by what was told on the way.
  const seen = allNodes(cluster.view()).filter(({ release }) => satisfies(release, TO)).length;
  const upgraded = [...told.values()].filter(({ state }) => state === 'upgraded').length;
  if (![seen, upgraded].includes(Number(count[1])) || Number(count[2]) !== cluster.nodes.length)
    untrue(`it says '${count[0]}': ${seen} of ${cluster.nodes.length} do, and ${upgraded} were told to`);
}
