import { canPauseWrites, expiresTravelRelatively } from '../compatibility/rules.js';
import { backlogNeeded } from './backlog.js';
import type { Policy } from '../policy.js';
import { formatDuration, formatSize } from '../duration.js';
import type { PlanWarning } from '../plan.js';
import { satisfies } from '../release.js';
import type { NodeView, ShardView } from '../topology.js';
import { datasetOf, downtimeMs } from './expected-times.js';
import type { PlanFacts } from './facts.js';

interface ShardInput {
  shard: ShardView;
  to: string;
  policy: Policy;
  facts: PlanFacts;
}

/** What could cost data or time in one shard that is not upgraded yet. */
export function shardWarnings(input: ShardInput): PlanWarning[] {
  const { shard, to } = input;
  const primaryLeft = !satisfies(shard.primary.release, to);
  if (primaryLeft && shard.replicas.length === 0)
    return [
      {
        severity: 'blocker',
        subject: shard.name,
        text: `${shard.name} has no replica: stopping ${shard.primary.address} would take its slots out of service.`,
        next: 'Add a replica to the shard, wait until it is in sync, and plan again.',
      },
    ];
  return [
    ...backlogWarnings(input),
    ...ttlWarnings(input),
    ...persistenceWarnings(input),
    ...(primaryLeft ? handoverWarnings(input) : []),
  ];
}

/** The longest that a node of the shard is expected to be away from the stream, ms. */
export const longestDowntime = ({ shard, facts }: Pick<ShardInput, 'shard' | 'facts'>): number =>
  Math.max(...[shard.primary, ...shard.replicas].map((node) => downtimeMs(datasetOf(node, facts))));

function backlogWarnings(input: ShardInput): PlanWarning[] {
  const { shard, policy, facts } = input;
  const { primary } = shard;
  const rate = facts.nodes[primary.address]?.writeBytesPerSecond;
  if (rate === undefined)
    return [
      {
        severity: 'warning',
        subject: shard.name,
        text: `The write rate of ${primary.address} was not measured: nobody knows whether its backlog of ${formatSize(primary.backlogBytes)} is enough.`,
        next: 'Plan again, with a user that may run INFO.',
      },
    ];
  const away = longestDowntime(input) / 1000;
  const { bytes: needed = 0, seconds = 0 } = backlogNeeded(shard, facts, policy, away) ?? {};
  const warnings: PlanWarning[] = [];
  if (away > policy.backlog.seconds)
    warnings.push({
      severity: 'warning',
      subject: shard.name,
      text: `A node of ${shard.name} is expected to be away for ${formatDuration(away * 1000)}, longer than policy.backlog.seconds (${policy.backlog.seconds}) provides for.`,
      next: `Set policy.backlog.seconds to ${Math.ceil(away * 2)} or more.`,
    });
  if (primary.backlogBytes < needed) {
    const text = `${primary.address} writes ${formatSize(Math.round(rate))}/s: its backlog of ${formatSize(primary.backlogBytes)} holds ${formatDuration((primary.backlogBytes / Math.max(rate, 1)) * 1000)}, and ${seconds} s need ${formatSize(needed)}.`;
    warnings.push(
      policy.backlog.grow
        ? {
            severity: 'note',
            subject: shard.name,
            text: `${text} It is enlarged for the upgrade and put back afterwards (policy.backlog.grow).`,
          }
        : {
            severity: 'warning',
            subject: shard.name,
            text: `${text} Nodes that come back would take a full resync.`,
            next: `CONFIG SET repl-backlog-size ${needed} on every node of ${shard.name}, or set policy.backlog.grow.`,
          },
    );
  }
  return warnings;
}

function ttlWarnings(input: ShardInput): PlanWarning[] {
  const { shard, policy, facts } = input;
  const { primary } = shard;
  const expiring = facts.nodes[primary.address]?.expiringKeys;
  if (!expiresTravelRelatively(primary.release) || expiring === 0) return [];
  const drift = longestDowntime(input);
  const keys = expiring === undefined ? 'Keys that expire' : `${expiring} keys of ${shard.name} expire, and those`;
  const text = `${keys} written while a node is away live up to ${formatDuration(drift)} longer on it: before 7.0, expiries travel as relative times (${primary.address} runs ${primary.release}).`;
  if (drift <= policy.ttlTolerance)
    return [{ severity: 'note', subject: shard.name, text: `${text} That is within policy.ttlTolerance.` }];
  return policy.ttlRepair
    ? [
        {
          severity: 'note',
          subject: shard.name,
          text: `${text} What is further off than policy.ttlTolerance is set right afterwards (policy.ttlRepair).`,
        },
      ]
    : [
        {
          severity: 'warning',
          subject: shard.name,
          text: `${text} policy.ttlTolerance is ${formatDuration(policy.ttlTolerance)}.`,
          next: 'Set policy.ttlRepair, or raise policy.ttlTolerance where that is harmless; else verification holds the node back.',
        },
      ];
}

function persistenceWarnings({ shard, facts }: ShardInput): PlanWarning[] {
  const { primary } = shard;
  const it = facts.nodes[primary.address];
  const bare = it?.appendOnly === false && it.savePoints === '';
  const appending = [primary, ...shard.replicas].filter((node) => facts.nodes[node.address]?.appendOnly === true);
  return [
    ...(bare
      ? [
          {
            severity: 'warning' as const,
            subject: primary.address,
            text: `${primary.address} has no persistence: if it crashed and were started again by itself, it would come back empty and its replicas would follow it.`,
            next: 'Make sure that nothing restarts it by itself during the upgrade, or set `save` or `appendonly`.',
          },
        ]
      : []),
    ...(appending.length > 0
      ? [
          {
            severity: 'note' as const,
            subject: shard.name,
            text: `${appending.map((node) => node.address).join(', ')} ${appending.length === 1 ? 'keeps' : 'keep'} an append-only file: it is switched off for the start from the snapshot, without which no partial resync is had, and on again afterwards.`,
          },
        ]
      : []),
  ];
}

function handoverWarnings({ shard, policy }: ShardInput): PlanWarning[] {
  if (policy.handover !== 'fast') return [];
  const pausing = canPauseWrites(shard.primary.release);
  return pausing.state === 'pass'
    ? []
    : [
        {
          severity: 'warning',
          subject: shard.name,
          text: `The fast handover can't be had from ${shard.primary.address}: ${pausing.reason}. The safe one is used.`,
        },
      ];
}

/** Modules, which the new version must have too, and which may not be ours to bring. */
export function moduleWarnings(nodes: readonly NodeView[], facts: PlanFacts, to: string): PlanWarning[] {
  // Redis 8.0 lists its built-in vector sets as a module.
  const builtIn = new Set(['vectorset']);
  const users = new Map<string, string[]>();
  for (const { address } of nodes)
    for (const module of facts.nodes[address]?.modules ?? [])
      if (!builtIn.has(module)) users.set(module, [...(users.get(module) ?? []), address]);
  return [...users].map(([module, addresses]) => ({
    severity: 'warning',
    subject: `module ${module}`,
    text: `${addresses.join(', ')} ${addresses.length === 1 ? 'has' : 'have'} the module ${module} loaded; a server without it can load no key of its types.`,
    next: `Have a build of ${module} for ${to} at the same path, and try it on a copy first.`,
  }));
}
