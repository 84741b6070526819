import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { WorkerOptions } from '@temporalio/worker';

/**
 * How many workflows a worker keeps in memory, at about 0.3 MB each: one that is dropped is brought back from its history
 * when something happens to it. By default there would be thousands, each waiting for somebody's approval.
 */
export const caching = { maxCachedWorkflows: 200 } satisfies Partial<WorkerOptions>;

/**
 * Has the heaps collected when they have grown by a fifth, in place of several times what they hold: the worker shares
 * its machine with the servers that it upgrades. To be called before the thread of the workflows begins.
 */
export function boundHeaps(): void {
  setFlagsFromString('--heap-growing-percent=20');
  // MB of each of the two halves in which new objects are made.
  setFlagsFromString('--max-semi-space-size=2');
  // MB at which the heap of the thread is collected for the first time: by default at hundreds.
  setFlagsFromString('--initial-old-space-size=16');
}

/** Has what only the start needed collected, once the worker is there: a heap's growth is bounded from then on. */
export function collectStart(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  setFlagsFromString('--no-expose-gc');
}
