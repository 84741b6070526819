import type { OperationStatus } from '../../../model/operation.js';
import { fail, pass } from '../../../model/verdict.js';

/** Times in Unix ms. */
export interface PeopleOptions {
  start: number;
  asked: number;
  answered: number;
  rolling: number;
  /** Address of the canary. */
  replica: string;
  /** Adds a gate that blocked and was overridden. */
  stopped: boolean;
}

const iso = (ms: number): string => new Date(Math.round(ms)).toISOString();

/** What gates said and people answered. */
export function samplePeople({
  start,
  asked,
  answered,
  rolling,
  replica,
  stopped,
}: PeopleOptions): Pick<OperationStatus, 'approvals' | 'gates'> {
  return {
    approvals: [
      {
        approval: 'handover',
        question: 'The canary has soaked. May primaries be handed over?',
        roles: ['operations', 'engineering'],
        quorum: 1,
        askedAt: iso(asked),
        expiresAt: iso(asked + 86_400_000),
        state: 'approved',
        answers: [
          {
            by: 'ben@example.com',
            role: 'operations',
            decision: 'approve',
            at: iso(answered),
            comment: 'Latency of the canary looks the same as yesterday.',
          },
        ],
      },
    ],
    gates: [
      {
        gate: 'topology',
        before: 'before the canary',
        verdict: pass('all nodes agree: 16384 slots, none open'),
        since: iso(start + 2000),
      },
      {
        gate: 'replication',
        before: `before shard-1 replica ${replica}`,
        shard: 'shard-1',
        verdict: pass('link up, 0 bytes behind'),
        since: iso(start + 6800),
      },
      {
        gate: 'memory',
        before: `before shard-1 replica ${replica}`,
        shard: 'shard-1',
        verdict: fail('6 % of maxmemory is free, 10 % are asked for', 'memory is freed or maxmemory raised'),
        since: iso(start + 6900),
        ...(stopped
          ? {
              overriddenBy: {
                by: 'ana@example.com',
                reason: 'eviction is off and the dataset does not grow at night',
                at: iso(start + 9000),
              },
            }
          : {}),
      },
      {
        gate: 'latency',
        before: 'before the handover of shard-1',
        shard: 'shard-1',
        verdict: pass('p99 1.2 ms over the last ten seconds'),
        since: iso(rolling),
      },
    ].filter(({ gate }) => gate !== 'memory' || stopped),
  };
}
