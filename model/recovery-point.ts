import { z } from 'zod';
import type { ProvenShard } from './backup-manifest.js';

/** The point that somebody asks for. */
export type PointAsked =
  /** What had arrived by this instant, Unix ms. */
  | { kind: 'at'; ms: number }
  /** This shard up to an offset of its stream, the others up to when that came. */
  | { kind: 'offset'; shard: string; offset: number }
  /** Just before the last command of the archive that begins with these words; its name is in any case. */
  | { kind: 'before'; words: string[] };

/** A point that can be had, exactly. */
export interface RecoveryPoint {
  /** Id of the backup that it begins from. */
  backup: string;
  /** For people. */
  asked: string;
  shards: {
    shard: string;
    /** Up to and with it, where neither a command nor a transaction is under way. */
    offset: number;
    /** When the last that is in it had arrived, by the clock of the worker that archived it. */
    at: string;
  }[];
}

/** A point that was proven: every shard was brought back to it. */
export interface PointVerdict {
  point: RecoveryPoint;
  shards: ProvenShard[];
}

/** Fields of an input that name a point; at most one of them. */
export const pointFields = {
  at: z.iso
    .datetime({ offset: true, error: 'expected an instant such as 2026-11-29T23:14:00Z' })
    .optional()
    .describe('The point in time: an instant such as 2026-11-29T23:14:00Z or 2026-11-29T23:14:00.250+01:00.'),
  before: z
    .string()
    .regex(/\S/, 'expected a command such as FLUSHALL or "DEL cart:7"')
    .optional()
    .describe(
      'Just before the last command of the archive that begins so: FLUSHALL, or a name and its first arguments.',
    ),
  offset: z
    .string()
    .regex(/^shard-\d+=\d+$/, 'expected shard-1=123456')
    .optional()
    .describe('One shard up to an offset of its replication stream, the others up to when it came: shard-1=123456.'),
};

/** @returns undefined where none is named. */
export function pointOf({
  at,
  before,
  offset,
}: {
  at?: string | undefined;
  before?: string | undefined;
  offset?: string | undefined;
}): PointAsked | undefined {
  if (at !== undefined) return { kind: 'at', ms: Date.parse(at) };
  if (before !== undefined) return { kind: 'before', words: before.trim().split(/\s+/) };
  const [, shard, number] = /^(shard-\d+)=(\d+)$/.exec(offset ?? '') ?? [];
  return shard === undefined ? undefined : { kind: 'offset', shard, offset: Number(number) };
}

/** A backup is one, too. */
export const isOnePoint = (it: { backup?: unknown; at?: unknown; before?: unknown; offset?: unknown }): boolean =>
  [it.backup, it.at, it.before, it.offset].filter((field) => field !== undefined).length <= 1;
export const ONE_POINT = 'expected one of backup, at, before and offset';
