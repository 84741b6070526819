import type { PlanWarning } from '../plan.js';
import type { TopologyView } from '../topology.js';
import { ioredisDefaults, settingsFor, survivesFailover } from './client-settings.js';
import type { PlanFacts } from './facts.js';

/** What clients would notice, if a primary failed during the upgrade or while a replica is away. */
export function clientWarnings(topology: TopologyView, facts: PlanFacts): PlanWarning[] {
  return [...retryWarnings(topology, facts), ...readerWarnings(topology, facts)];
}

function retryWarnings({ nodeTimeoutMs }: TopologyView, facts: PlanFacts): PlanWarning[] {
  if (facts.clientSettings)
    return facts.clientSettings.flatMap((settings): PlanWarning[] => {
      const verdict = survivesFailover(settings, nodeTimeoutMs);
      if (verdict.state === 'pass') return [];
      return [
        {
          severity: 'warning',
          subject: `client ${settings.name}`,
          text: `${settings.name} would fail operations if a primary were lost: ${verdict.reason}.`,
          next: `S${verdict.clears.slice(1)}.`,
        },
      ];
    });
  const clients = Object.values(facts.nodes).flatMap((node) => node.clients ?? []);
  const seen = clients.some(({ library }) => library?.toLowerCase().startsWith('ioredis') === true);
  const verdict = survivesFailover(ioredisDefaults, nodeTimeoutMs);
  if (verdict.state === 'pass') return [];
  return [
    {
      severity: seen ? 'warning' : 'note',
      subject: 'client settings',
      text: `A handover is not noticed by a client that retries, but a lost primary is: with ioredis' defaults ${verdict.reason}.${seen ? ' ioredis clients are connected.' : ''}`,
      next: `Cluster clients that write need ${settingsFor(nodeTimeoutMs)} (names of ioredis), or what is alike in theirs.`,
    },
  ];
}

function readerWarnings(topology: TopologyView, facts: PlanFacts): PlanWarning[] {
  const replicas = topology.shards.flatMap(({ replicas }) => replicas);
  return replicas.flatMap(({ address }): PlanWarning[] => {
    const readers = (facts.nodes[address]?.clients ?? []).reduce((sum, { readOnly }) => sum + readOnly, 0);
    if (readers === 0) return [];
    return [
      {
        severity: 'warning',
        subject: address,
        text: `${readers} ${readers === 1 ? 'client reads' : 'clients read'} from the replica ${address} (READONLY): they are disconnected when it is stopped, and may meet LOADING or MASTERDOWN, which ioredis' cluster client does not retry.`,
        next: 'Let them read from the primaries during the upgrade, or retry by themselves.',
      },
    ];
  });
}
