import { randomBytes } from 'node:crypto';
import type { Command } from '../../../redis/resp.js';

export const workloadNames = ['small', 'mixed', 'large'] as const;
export type WorkloadName = (typeof workloadNames)[number];

/** What an application writes: the n-th command of a workload. */
export const workloads: Readonly<Record<WorkloadName, (n: number) => Command>> = {
  /** SET of 16 bytes to a million keys. */
  small: (n) => ['SET', `small:${n % 1_000_000}`, `value-of-${n % 10_000_000}`],
  /** Every type, some with an expiry, some that 5.0 doesn't know. */
  mixed: (n) => mixed[n % mixed.length]?.(n) ?? ['PING'],
  /** SET of 10 kB to ten thousand keys. */
  large: (n) => ['SET', `large:${n % 10_000}`, body],
};

const body = randomBytes(10_000);
const member = (n: number): string => String(n % 1000);
const key = (name: string, n: number): string => `${name}:${n % 20_000}`;

const mixed: readonly ((n: number) => Command)[] = [
  (n) => ['SET', key('string', n), `value ${n}`, 'EX', 3600],
  (n) => ['INCR', key('counter', n)],
  (n) => ['HSET', key('hash', n), member(n), `value ${n}`],
  (n) => ['LPUSH', key('list', n), `entry ${n}`],
  (n) => ['RPOP', key('list', n)],
  (n) => ['SADD', key('set', n), member(n)],
  (n) => ['ZADD', key('ranking', n), 'GT', n % 977, member(n)],
  (n) => ['XADD', key('stream', n), 'MAXLEN', '~', 100, '*', 'field', `value ${n}`],
  (n) => ['PEXPIRE', key('counter', n), 3_600_000],
  (n) => ['SET', key('string', n), `value ${n}`, 'KEEPTTL'],
];
