import { shareBus } from '../compatibility/rules.js';
import { leftToUpgrade, upgradePath, waysOn } from '../compatibility/upgrade-path.js';
import type { PlanWarning } from '../plan.js';
import { nameRelease, satisfies } from '../release.js';
import { allNodes, type NodeView, type TopologyView } from '../topology.js';
import type { PlanFacts } from './facts.js';

/** Can the releases that run become the target in one step, and live together meanwhile? */
export function targetWarnings(name: string, topology: TopologyView, to: string): PlanWarning[] {
  const nodes = allNodes(topology);
  const left = leftToUpgrade(
    nodes.map((node) => node.release),
    to,
  );
  if (left.length === 0)
    return [
      {
        severity: 'blocker',
        subject: 'target',
        text: `Every node of ${name} runs ${nameRelease(to)} already.`,
        next: 'Nothing is left to do.',
      },
    ];
  const blockers = left.flatMap((from): PlanWarning[] => {
    const path = upgradePath(from, to);
    if (path.ok) return [];
    const ways = waysOn(name, path, to).map(({ what, command }) => `${what}: ${command}`);
    const text = ways.length === 0 ? path.clears : ways.join(', or ');
    return [
      {
        severity: 'blocker',
        subject: 'target',
        text: `${name} can't go from ${from} to ${to}: ${path.refused}.`,
        next: `${text.charAt(0).toUpperCase()}${text.slice(1)}.`,
      },
    ];
  });
  const begun = nodes.filter((node) => satisfies(node.release, to));
  const note: PlanWarning[] =
    begun.length === 0 || blockers.length > 0
      ? []
      : [
          {
            severity: 'note',
            subject: 'partly upgraded',
            text: `${begun.length} of ${nodes.length} nodes run ${to} already (${begun.map((it) => it.address).join(', ')}); this is the plan of what is left.`,
          },
        ];
  return [...blockers, ...note];
}

/** cluster-announce-hostname on a 7.0 node makes it unheard by every node before 7.0 (redis#13401). */
export function hostnameWarnings(nodes: readonly NodeView[], facts: PlanFacts): PlanWarning[] {
  const announcing = nodes.filter((node) => (facts.nodes[node.address]?.announceHostname ?? '') !== '');
  return announcing.flatMap((node): PlanWarning[] => {
    const deaf = nodes.find((it) => shareBus(it.release, node.release, { announcesHostname: true }).state !== 'pass');
    if (!deaf) return [];
    return [
      {
        severity: 'blocker',
        subject: node.address,
        text: `${node.address} announces a hostname, and ${deaf.address} (${deaf.release}) drops the messages that carry one (redis#13401).`,
        next: `On ${node.address}: CONFIG SET cluster-announce-hostname "", until every node runs 7.0 or later.`,
      },
    ];
  });
}
