import { refusal, type Pipe } from './pipe.js';
import type { Watches } from './watches.js';
import { ErrorReply, textOf, type Command, type Reply } from '../resp.js';

/** One of the two nodes, with what its version knows. */
export interface Side {
  readonly pipe: Pick<Pipe, 'address' | 'send' | 'ask'>;
  readonly role: 'primary' | 'replica';
  /** PEXPIRETIME, from 7.0 on: the expiry as it is stored, without the detour over the node's clock. */
  readonly pexpiretime: boolean;
  /** By how much later every expiry is kept there than it is to come, ms. */
  readonly laterByMs?: number;
}

export interface Sides {
  readonly primary: Side;
  readonly replica: Side;
  /** Of the primary: without it a large collection is scanned on both sides. */
  readonly watches?: Watches;
  /** Both know field expiry (Redis 7.4, Valkey 9.0) and at least one has fields that expire. */
  readonly fieldExpiry: boolean;
  /**
   * Waits until the replica has everything that the primary has written so far, where it is none of the server's own, and
   * knows of no offset.
   */
  readonly reach?: (timeoutMs: number, signal?: AbortSignal) => Promise<void>;
}

/** A reply about one key that is no longer what it was a moment ago: looked at again later. */
export const gone = Symbol('gone');

/** The reply; `gone` where the key changed its type meanwhile. Throws for what concerns more than the key. */
export function usable(
  side: Side,
  command: string,
  reply: Reply | undefined,
): Exclude<Reply, ErrorReply> | typeof gone {
  if (!(reply instanceof ErrorReply)) return reply ?? null;
  if (/^WRONGTYPE|no such key|^NOGROUP/.test(reply.message)) return gone;
  throw refusal(side.pipe.address, command, reply);
}

/** Unix ms of TIME's reply. */
export function timeOf(side: Side, reply: Reply | undefined): number {
  const time = usable(side, 'TIME', reply);
  if (!Array.isArray(time)) return 0;
  return Number(textOf(time[0])) * 1000 + Number(textOf(time[1])) / 1000;
}

/** No key. */
export const MISSING = -2;

export const expiryCommand = (side: Side, key: Buffer): Command => [side.pexpiretime ? 'PEXPIRETIME' : 'PTTL', key];

/** Unix ms, -1 without an expiry, or MISSING, of the reply to `expiryCommand` when the node's clock showed `now`. */
export function expiryOf(side: Side, reply: Reply | undefined, now: number): number {
  const value = usable(side, side.pexpiretime ? 'PEXPIRETIME' : 'PTTL', reply);
  if (typeof value !== 'number') return MISSING;
  if (value < 0) return value;
  return (side.pexpiretime ? value : now + value) - (side.laterByMs ?? 0);
}

/** Distance of two expiries, ms; Infinity when only one key expires at all. */
export function drift(a: number, b: number): number {
  if (a < 0 || b < 0) return a === b ? 0 : Infinity;
  return Math.abs(a - b);
}
