import type { NodeConnection } from '../connection.js';

/** What a follower has noted in its standby's data, with the last batch that it applied. */
export interface FollowRecord {
  replid: string;
  /** The last byte of the primary's stream that was applied. */
  offset: number;
  /** Keys that are still to be copied again. */
  dirty: number;
  /** Slots (`0-100 200-300`) whose keys expire no later than `exactMs` after the primary's: the others have an hour. */
  exact: string;
  exactMs: number;
  /** The standby's own clock when it was read, Unix ms. */
  at: number;
}

/** @returns undefined where there is none: no follower has begun, or the cutover was made */
export async function readFollowRecord(standby: NodeConnection, record: string): Promise<FollowRecord | undefined> {
  const [, fields, time] = await standby.pipeline([
    ['ASKING'],
    ['HMGET', record, 'replid', 'offset', 'dirty', 'exact', 'exactMs'],
    ['TIME'],
  ]);
  for (const reply of [fields, time]) if (reply instanceof Error) throw reply;
  const [replid, offset, dirty, exact, exactMs] = fields as (string | null)[];
  if (replid == null || offset == null) return undefined;
  const [seconds, microseconds] = time as [string, string];
  return {
    replid,
    offset: Number(offset),
    dirty: Number(dirty ?? 0),
    exact: exact ?? '',
    exactMs: Number(exactMs ?? 0),
    at: Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000),
  };
}
