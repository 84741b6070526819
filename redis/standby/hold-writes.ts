import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeConnection } from '../connection.js';
import { parseInfo } from '../info.js';

/** Bounds the harm of a cutover whose worker dies: writes go on by themselves after this. */
export const PAUSE_MS = 2000;

const pause = ['CLIENT', 'PAUSE', PAUSE_MS, 'WRITE'] as const;

/** Writes at a primary, held and renewed until they are let go. */
export interface HeldWrites {
  /** When they were held first: Unix ms, and on the clock of `performance.now`. */
  at: number;
  since: number;
  /** The last byte of the primary's stream that holds a write. */
  offset: number;
  /** Does the node say, now, that it is primary and holds them? For PAUSE_MS from here, then. */
  sure(): Promise<boolean>;
  /** Lets them go on; the time that they were held, ms. */
  release(): Promise<number>;
}

/** @throws the server's refusal, or RolloutError NodeHung, Unreachable */
export async function holdWrites(primary: NodeConnection): Promise<HeldWrites> {
  const [at, since] = [Date.now(), performance.now()];
  const [paused, replication] = await primary.pipeline([pause, ['INFO', 'replication']]);
  if (paused instanceof Error) throw paused;
  const sure = async (): Promise<boolean> => {
    const asked = primary.pipeline([pause, ['ROLE']]).catch(() => []);
    const answer = await Promise.race([asked, sleep(PAUSE_MS / 4, [], { ref: false })]);
    const [renewed, role] = answer as [unknown, [string] | undefined];
    return renewed === 'OK' && role?.[0] === 'master';
  };
  const renewing = setInterval(() => void sure(), PAUSE_MS / 8);
  const release = async (): Promise<number> => {
    clearInterval(renewing);
    const unpaused = primary.call('CLIENT', 'UNPAUSE').catch(() => {
      // They go on by themselves.
    });
    // A primary that hangs answers nothing, and nobody shall wait for it.
    await Promise.race([unpaused, sleep(PAUSE_MS / 4, undefined, { ref: false })]);
    return performance.now() - since;
  };
  if (replication instanceof Error) {
    await release();
    throw replication;
  }
  const offset = Number(parseInfo(String(replication))['master_repl_offset']);
  return { at, since, offset, sure, release };
}
