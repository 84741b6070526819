import { setTimeout as sleep } from 'node:timers/promises';
import { RolloutError } from '../model/failures.js';
import { at, connect, type Endpoint, type NodeConnection } from './connection.js';

/** Often enough to see a stall, seldom enough to be no load, ms. */
const EVERY_MS = 10;

/**
 * How long each node takes to answer PING: the 90th percentile over `forMs`, ms. Asked on a fixed schedule and counted
 * from it, so that a node which stands still for a moment shows every question that it kept waiting. A node that can't
 * be reached is left out; one that doesn't answer counts with the connection's deadline.
 */
export async function measureLatencies(
  endpoint: Endpoint,
  addresses: readonly string[],
  forMs: number,
): Promise<Record<string, number>> {
  const measured = await Promise.all(
    addresses.map(async (address) => {
      try {
        await using connection = await connect(at(endpoint, address));
        return [[address, await ninetieth(connection, forMs)] as const];
      } catch (error) {
        if (error instanceof RolloutError) return [];
        throw error;
      }
    }),
  );
  return Object.fromEntries(measured.flat());
}

async function ninetieth(connection: NodeConnection, forMs: number): Promise<number> {
  const begun = performance.now();
  const answers: Promise<number>[] = [];
  for (let due = 0; due < forMs; due += EVERY_MS) {
    await sleep(Math.max(0, begun + due - performance.now()));
    answers.push(
      connection.call('PING').then(
        () => performance.now() - begun - due,
        // LOADING and MASTERDOWN are answers too; whatever else went wrong has lasted until now.
        () => performance.now() - begun - due,
      ),
    );
  }
  const sorted = (await Promise.all(answers)).sort((a, b) => a - b);
  return sorted[Math.ceil(sorted.length * 0.9) - 1] ?? Number.NaN;
}
