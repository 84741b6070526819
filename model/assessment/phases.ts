import type { Policy } from '../policy.js';
import { backupMs, makespan } from '../planning/expected-times.js';
import { hopsOf, type Plan, type PlanStep } from '../plan.js';
import { mayBegin } from '../calendar.js';

/** One part of an upgrade, with what it takes beside what runs today. */
export interface Phase {
  name: string;
  what: string;
  /** Without people's time, ms. */
  expectedMs: number;
  /** When it begins at the earliest: the first maintenance window, or now; without people's time. */
  earliest: string;
  /** On all machines together, beside what is in use. */
  memoryBytes: number;
  diskBytes: number;
  extraNodes: number;
  /** Who is asked first. */
  approval?: string;
}

export interface Price {
  /** Of one GiB of memory for an hour. */
  amount: number;
  currency: string;
}

const GIB = 1024 ** 3;
const HOUR_MS = 3_600_000;

/** What an upgrade is made of, in order, and when each part may begin. @param now ms since 1970 */
export function phasesOf(
  plan: Plan,
  policy: Pick<Policy, 'soak' | 'windows' | 'freeze' | 'approvals'>,
  now: number,
): Phase[] {
  const hops = hopsOf(plan);
  const phases = hops.flatMap((hop, i) => hopPhases(hop, policy, hops.length > 1 ? ` (hop ${i + 1}: ${hop.to})` : ''));
  // Backups and soaks need no window; what touches nodes begins in one.
  let at = now;
  return phases.map(({ inWindow, ...phase }) => {
    if (inWindow) at = mayBegin(policy, at, 0) ?? at;
    const earliest = new Date(at).toISOString();
    at += phase.expectedMs;
    return { ...phase, earliest };
  });
}

type Drafted = Omit<Phase, 'earliest'> & { inWindow: boolean };

function hopPhases(plan: Plan, { soak, approvals }: Pick<Policy, 'soak' | 'approvals'>, suffix: string): Drafted[] {
  const { shards } = plan;
  const bytes = shards.map((it) => it.bytes);
  const total = bytes.reduce((sum, it) => sum + it, 0);
  const standbys = shards.flatMap(({ standby }) => (standby ? [standby] : []));
  const sum = (steps: readonly PlanStep[]): number => steps.reduce((ms, step) => ms + step.expectedMs, 0);
  const first = shards[0]?.steps ?? [];
  const canary = first.slice(0, first.findIndex(({ kind }) => kind === 'canary soak') + 1);
  const rest = shards.map(({ steps }, i) => sum(i === 0 ? steps.slice(canary.length) : steps));
  // While a node saves, what is written meanwhile is there twice: at the worst all of it.
  const saving = bytes.toSorted((a, b) => b - a).slice(0, plan.parallelShards);
  const copies = saving.reduce((all, it) => all + it, 0);
  const none = { memoryBytes: 0, diskBytes: 0, extraNodes: 0 };
  return [
    {
      ...{ name: `backup${suffix}`, what: `${plural(shards.length, 'shard')} saved and verified`, inWindow: false },
      ...{ ...none, expectedMs: backupMs(bytes), memoryBytes: Math.max(0, ...bytes), diskBytes: total },
      ...(approvals.start && suffix === '' ? { approval: `start: ${approvals.start.roles.join(' or ')}` } : {}),
    },
    ...(standbys.length === 0
      ? []
      : [
          {
            ...{
              name: `standbys${suffix}`,
              what: `${plural(standbys.length, 'server')} of ${plan.from} beside the primaries, until finalize`,
            },
            // Each is added within its shard's steps, whose time it is part of.
            ...{ expectedMs: 0, extraNodes: standbys.length, inWindow: true },
            memoryBytes: standbys.reduce((all, it) => all + it.memoryBytes, 0),
            diskBytes: standbys.reduce((all, it) => all + it.diskBytes, 0),
          },
        ]),
    ...(canary.length === 0
      ? []
      : [
          {
            ...{
              name: `canary${suffix}`,
              what: `${plan.canary?.node ?? 'one replica'} alone, watched`,
              inWindow: true,
            },
            ...{ ...none, expectedMs: sum(canary), memoryBytes: bytes[0] ?? 0, diskBytes: bytes[0] ?? 0 },
          },
        ]),
    {
      ...{
        name: `shards${suffix}`,
        what: `${plural(shards.length, 'shard')}, ${plan.parallelShards} at a time, each verified`,
        inWindow: true,
      },
      ...{ ...none, expectedMs: makespan(rest, plan.parallelShards), memoryBytes: copies, diskBytes: copies },
      ...(approvals.handover ? { approval: `handover: ${approvals.handover.roles.join(' or ')}` } : {}),
    },
    {
      ...{ name: `soak${suffix}`, what: 'watched by the gates; it can be taken back until its end', inWindow: false },
      ...{ ...none, expectedMs: soak },
      ...(approvals.finalize ? { approval: `finalize: ${approvals.finalize.roles.join(' or ')}` } : {}),
    },
  ];
}

const plural = (count: number, what: string): string => `${count} ${count === 1 ? what : `${what}s`}`;

/** What the memory of standbys costs from when they are added until the soak is over. */
export function costOf(phases: readonly Phase[], price: Price): { amount: number; currency: string } {
  const from = phases.findIndex(({ extraNodes }) => extraNodes > 0);
  if (from < 0) return { amount: 0, currency: price.currency };
  const hours = phases.slice(from).reduce((ms, it) => ms + it.expectedMs, 0) / HOUR_MS;
  const memory = phases.reduce((bytes, it) => Math.max(bytes, it.extraNodes > 0 ? it.memoryBytes : 0), 0);
  return { amount: (memory / GIB) * hours * price.amount, currency: price.currency };
}
