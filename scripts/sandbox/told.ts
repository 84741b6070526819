import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** As old may be what a process knows of a file that tells it what to do, ms. */
const FRESH_MS = 10;

/** Whoever has written the file waits for this: from then on everybody knows. */
export const heard = (): Promise<void> => sleep(2 * FRESH_MS);

/**
 * What a file of JSON says now, for one who asks with each write to a socket: it is read a hundred times a second at most,
 * so that a worker under test is not kept busy by it.
 *
 * @param nothing what holds where there is no such file
 */
export function told<T>(file: string, nothing: T): () => T {
  let known = nothing;
  let readAt = -Infinity;
  return () => {
    const now = performance.now();
    if (now - readAt < FRESH_MS) return known;
    readAt = now;
    try {
      known = JSON.parse(readFileSync(file, 'utf8')) as T;
    } catch {
      known = nothing;
    }
    return known;
  };
}
