import { mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../activities/scratch-process.js';

const claimed = join(tmpdir(), 'redis-rollout-ports');

/**
 * A port below 22000 that is free and whose cluster bus port (+ 10000) is free too. Claimed by a folder, so that two
 * test processes that ask at the same moment get different ones; `release` gives it back.
 */
export async function claimPort(): Promise<{ port: number; release: () => void }> {
  for (let attempt = 0; attempt < 500; attempt++) {
    const port = 12_000 + Math.floor(Math.random() * 9_900);
    const folder = join(claimed, String(port));
    mkdirSync(claimed, { recursive: true });
    try {
      mkdirSync(folder);
    } catch {
      continue;
    }
    const release = (): void => rmSync(folder, { recursive: true, force: true });
    if ((await free(port)) && (await free(port + 10_000))) return { port, release };
    release();
  }
  throw new Error(`no free port found; remove ${claimed} if earlier runs were killed`);
}

const free = (port: number): Promise<boolean> =>
  freePort(port).then(
    () => true,
    () => false,
  );
