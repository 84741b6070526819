import type { Policy } from '../policy.js';
import { canPauseWrites } from '../compatibility/rules.js';
import type { NodeView, ShardView } from '../topology.js';
import type { PlanFacts } from './facts.js';

/**
 * What the expected times rest on where nothing was measured: on the slow side of what servers with local disks do. The
 * plan prints them.
 */
export const assumed = {
  saveBytesPerSecond: 100 * 1024 ** 2,
  loadBytesPerSecond: 100 * 1024 ** 2,
  compareBytesPerSecond: 50 * 1024 ** 2,
  /** From SIGTERM or SHUTDOWN until the new process listens, ms. */
  restartMs: 1000,
  /** From listening until the link is up and the backlog is caught up with, ms. */
  rejoinMs: 1000,
  /** Of the coordinated failover and of the coordinated takeover, ms (measured: 57–162 on 5.0.6, 4–6 from 6.2 on). */
  handoverMs: { safe: 200, fast: 10 },
} as const;

const ms = (bytes: number, perSecond: number): number => Math.round((bytes / perSecond) * 1000);

/** Bytes that a node saves and loads: its dataset where known, else all the memory that it uses. */
export const datasetOf = (node: NodeView, facts: PlanFacts): number =>
  facts.nodes[node.address]?.datasetBytes ?? node.usedMemoryBytes;

/** From the moment that the snapshot stands for until the node follows again: what the backlog has to hold, ms. */
export const downtimeMs = (bytes: number): number =>
  ms(bytes, assumed.saveBytesPerSecond) + assumed.restartMs + ms(bytes, assumed.loadBytesPerSecond) + assumed.rejoinMs;

/** One node saved, swapped, rejoined and compared, ms. */
export const swapMs = (bytes: number): number => downtimeMs(bytes) + compareMs(bytes);

/** A standby started with nothing and synced in full, ms. */
export const syncMs = (bytes: number): number =>
  assumed.restartMs + ms(bytes, assumed.saveBytesPerSecond) + ms(bytes, assumed.loadBytesPerSecond) + assumed.rejoinMs;

export const compareMs = (bytes: number): number => ms(bytes, assumed.compareBytesPerSecond);

/** Every shard saved once over replication, one after the other, ms. */
export const backupMs = (bytes: readonly number[]): number =>
  bytes.reduce((sum, it) => sum + ms(it, assumed.saveBytesPerSecond), 0);

/** `fast` where it is asked for and the old primary can pause writes. */
export const handoverMode = (shard: ShardView, policy: Pick<Policy, 'handover'>): 'safe' | 'fast' =>
  policy.handover === 'fast' && canPauseWrites(shard.primary.release).state === 'pass' ? 'fast' : 'safe';

/** The handover itself and the time until the roles have settled everywhere, ms. */
export const handoverMs = (
  shard: ShardView,
  policy: Pick<Policy, 'handover' | 'settle'>,
  nodeTimeoutMs: number,
): number => assumed.handoverMs[handoverMode(shard, policy)] + Math.max(policy.settle, 2 * nodeTimeoutMs);

/** When the last of several pieces of work ends that are begun in order by `width` workers, ms. */
export function makespan(durations: readonly number[], width: number): number {
  const free = Array.from({ length: Math.max(1, width) }, () => 0);
  for (const duration of durations) {
    const next = free.indexOf(Math.min(...free));
    free[next] = (free[next] ?? 0) + duration;
  }
  return Math.max(...free);
}
