// Elections at the same time lose votes to each other; and a turn that nobody gives back must not hold anybody up.
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { takeVoteTurn } from '../../activities/vote-turn.js';

const { signal } = new AbortController();

async function inFolder(act: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'redis-rollout-turns-'));
  try {
    await act(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

test('one at a time, each told of the epoch that the one before it came to, and nothing is left lying about', () =>
  inFolder(async (folder) => {
    let epoch = 0;
    let holders = 0;
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        const turn = await takeVoteTurn(folder, signal);
        expect(++holders).toBe(1);
        expect(turn.afterEpoch).toBe(epoch);
        await sleep(2);
        holders--;
        await turn.end(++epoch);
      }),
    );
    expect(epoch).toBe(20);
    expect(await readdir(folder)).toEqual(['vote-last.json']);
  }));

test('an election that was lost gives its turn back and leaves the epoch as it was', () =>
  inFolder(async (folder) => {
    await (await takeVoteTurn(folder, signal)).end(7);
    await (await takeVoteTurn(folder, signal)).end();
    expect(await takeVoteTurn(folder, signal)).toMatchObject({ afterEpoch: 7 });
  }));

test('whoever hangs with the turn loses it, and does not take it from the next when it wakes', () =>
  inFolder(async (folder) => {
    const hung = await takeVoteTurn(folder, signal);
    const next = await takeVoteTurn(folder, signal);
    await hung.end(3);
    let given = false;
    const third = takeVoteTurn(folder, signal).then((turn) => {
      given = true;
      return turn;
    });
    await sleep(50);
    expect(given).toBe(false);
    await next.end();
    expect(await third).toMatchObject({ afterEpoch: 3 });
  }));

test('whoever is cancelled waits no longer', () =>
  inFolder(async (folder) => {
    const turn = await takeVoteTurn(folder, signal);
    const cancelled = new AbortController();
    const waiting = takeVoteTurn(folder, cancelled.signal);
    cancelled.abort();
    await expect(waiting).rejects.toThrow(/abort/i);
    await turn.end();
    expect(await readdir(folder)).toEqual([]);
  }));
