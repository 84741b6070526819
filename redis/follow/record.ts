import type { SlotRange } from '../../model/topology.js';
import type { NodeConnection } from '../connection.js';
import type { StreamPoint } from '../replication/position.js';

/** What a standby says of its follower, in its own data: a hash, written in the same step as what it tells of. */
export interface FollowRecord extends StreamPoint {
  /** Goes up with every batch. */
  step: number;
  /** Database that the stream has selected. */
  db: number;
  /** Keys that are still to be copied again, with their databases. */
  dirty: { db: number; key: Buffer }[];
  /** Slots whose expiries carry the margin `exactMs`; in a server without slots, all or none. */
  exact: SlotRange[];
  exactMs: number;
  /** The margin that was asked for, ms; undefined where nobody did. */
  wantedMs: number | undefined;
  /** When the last batch was applied, by the standby's clock, Unix ms; undefined before the first. */
  at: number | undefined;
  /** The standby's clock now. */
  now: number;
}

type Asked = readonly (readonly (string | number | Buffer)[])[];

/** A member without slots answers for those that it imports, after ASKING; a server outside of a cluster knows no ASKING. */
export async function askStandby(standby: NodeConnection, cluster: boolean, commands: Asked): Promise<unknown[]> {
  const sent = commands.flatMap((it) => (cluster ? [['ASKING'], it] : [it]));
  const replies = await standby.pipeline(sent, { buffers: true });
  const own = replies.filter((_, i) => !cluster || i % 2 === 1);
  for (const reply of own) if (reply instanceof Error) throw reply;
  return own;
}

/** @returns undefined where there is none: nothing was frozen there, or the cutover was made */
export async function readRecord(
  standby: NodeConnection,
  { record, cluster }: { record: string; cluster: boolean },
): Promise<FollowRecord | undefined> {
  const [time, reply] = await askStandby(standby, cluster, [['TIME'], ['HGETALL', record]]);
  const pairs = reply as Buffer[];
  const fields = new Map<string, string>();
  const dirty: FollowRecord['dirty'] = [];
  for (let at = 0; at + 1 < pairs.length; at += 2) {
    const name = pairs[at] ?? Buffer.alloc(0);
    if (name[0] === 0x6b) dirty.push(dirtyKey(name));
    else fields.set(name.toString('latin1'), pairs[at + 1]?.toString('latin1') ?? '');
  }
  const [replid, offset] = [fields.get('replid'), fields.get('offset')];
  if (replid === undefined || offset === undefined) return undefined;
  const number = (name: string): number | undefined => (fields.get(name) ? Number(fields.get(name)) : undefined);
  return {
    replid,
    offset: Number(offset),
    step: number('step') ?? 0,
    db: number('db') ?? 0,
    dirty,
    exact: parseSlots(fields.get('exact') ?? ''),
    exactMs: number('exactMs') ?? 0,
    wantedMs: number('wanted'),
    at: number('at'),
    now: clockOf((time as Buffer[]).map(String)),
  };
}

/** TIME's seconds and microseconds as Unix ms. */
const clockOf = ([seconds, microseconds]: readonly string[]): number =>
  Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000);

/** In place of a replication id while a fresh copy is made; a new one each time, so that two of them don't mix. */
const COPYING = 'copying-';
export const copyingId = (random: string): string => COPYING + random;
export const isCopying = ({ replid }: Pick<FollowRecord, 'replid'>): boolean => replid.startsWith(COPYING);

/** Notes from where a standby is to be followed to: once, when it has been frozen, or filled with a fresh copy. */
export async function writeRecord(
  standby: NodeConnection,
  { record, cluster, point, db = 0 }: { record: string; cluster: boolean; point: StreamPoint; db?: number },
): Promise<void> {
  const fields = ['replid', point.replid, 'offset', point.offset, 'step', 0, 'db', db, 'dirty', 0, 'exact', ''];
  await askStandby(standby, cluster, [
    ['HDEL', record, 'at', 'wanted', 'exactMs'],
    ['HSET', record, ...fields],
  ]);
}

/** How far a follower has come, without the names of its dirty keys: asked again and again while writes are held. */
export interface Reached extends StreamPoint {
  /** Keys that are still to be copied again. */
  dirty: number;
  /** Slots (`0-100 200-300`) whose keys expire no later than `exactMs` after the primary's: the others have an hour. */
  exact: string;
  exactMs: number;
  /** The standby's own clock when it was read, Unix ms. */
  now: number;
}

/** @returns undefined where there is none: no follower has begun, or the cutover was made */
export async function readReached(
  standby: NodeConnection,
  { record, cluster }: { record: string; cluster: boolean },
): Promise<Reached | undefined> {
  const replies = await standby.pipeline([
    ...(cluster ? [['ASKING']] : []),
    ['HMGET', record, 'replid', 'offset', 'dirty', 'exact', 'exactMs'],
    ['TIME'],
  ]);
  for (const reply of replies) if (reply instanceof Error) throw reply;
  const [fields, time] = replies.slice(-2) as [(string | null)[], [string, string]];
  const [replid, offset, dirty, exact, exactMs] = fields;
  if (replid == null || offset == null) return undefined;
  return {
    ...{ replid, offset: Number(offset), dirty: Number(dirty ?? 0), exact: exact ?? '', exactMs: Number(exactMs ?? 0) },
    now: clockOf(time),
  };
}

/** The record's field for a dirty key: `k`, its database, a colon, its name. */
export const dirtyField = (db: number, key: Buffer): Buffer => Buffer.concat([Buffer.from(`k${db}:`), key]);

function dirtyKey(field: Buffer): { db: number; key: Buffer } {
  const colon = field.indexOf(0x3a);
  return { db: Number(field.toString('latin1', 1, colon)), key: Buffer.from(field.subarray(colon + 1)) };
}

/** `0-100 200` or `0-100,200`. */
export const parseSlots = (text: string): SlotRange[] =>
  text
    .split(/[ ,]+/)
    .filter(Boolean)
    .map((range): SlotRange => {
      const [from = 0, to = from] = range.split('-').map(Number);
      return [from, to];
    });
