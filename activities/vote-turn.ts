import { randomUUID } from 'node:crypto';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { VoteTurn } from '../redis/election.js';

/** In the operation's folder: whose turn it is, and what epoch the last election came to. */
const [TURN, LAST] = ['vote-turn.json', 'vote-last.json'];
/**
 * An election takes a tenth of a second or two; one that takes longer than this is not waited for, be it that it was lost
 * or that the worker that had the turn hangs, ms.
 */
const TURN_MS = 1000;
/** Whoever was not given a turn in this time goes without one, ms. */
const WAIT_MS = 15_000;
const POLL_MS = 10;

interface Turn {
  holder: string;
  /** Unix ms; from then on it is anybody's. */
  until: number;
}

/**
 * A primary gives one vote an epoch, so of two elections at the same time one is lost (docs/handover.md). The shards of an
 * operation take turns, whichever workers they are with. It keeps time, not order: what two do at once in spite of it is
 * an election lost, and tried again.
 */
export async function takeVoteTurn(folder: string, signal: AbortSignal): Promise<VoteTurn> {
  const path = join(folder, TURN);
  const holder = randomUUID();
  const own = `${path}.${holder}`;
  const givenUp = Date.now() + WAIT_MS;
  try {
    for (;;) {
      signal.throwIfAborted();
      await writeFile(own, JSON.stringify({ holder, until: Date.now() + TURN_MS } satisfies Turn), { mode: 0o600 });
      if (await linked(own, path)) break;
      const held = await read<Turn>(path);
      if (held && held.until < Date.now()) await giveBack(path, held.holder);
      else if (Date.now() > givenUp) break;
      else await sleep(POLL_MS);
    }
  } finally {
    await rm(own, { force: true });
  }
  const last = await read<{ epoch: number }>(join(folder, LAST));
  return {
    afterEpoch: last?.epoch ?? 0,
    end: async (epoch) => {
      if (epoch !== undefined) {
        await writeFile(own, JSON.stringify({ epoch }), { mode: 0o600 });
        await rename(own, join(folder, LAST));
      }
      await giveBack(path, holder);
    },
  };
}

/** With its content in one step: nobody reads a turn that is half written. */
async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function giveBack(path: string, holder: string): Promise<void> {
  if ((await read<Turn>(path))?.holder === holder) await rm(path, { force: true });
}

async function read<T>(path: string): Promise<T | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as T;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
