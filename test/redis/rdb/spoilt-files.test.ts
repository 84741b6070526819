/**
 * A snapshot that was spoilt anywhere: refused, or the content that it had; and where even its checksum is right, read or
 * refused, but never a reader that hangs, or that takes the machine's memory because a byte says so.
 *
 * `SEED=n` draws the same changes again (it stands in each test's name). A thorough run takes every release, and thirty
 * times as many files.
 */
import { fork } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { programOf } from '../../../launch/program.mjs';
import { findServers } from '../../../platforms/process/servers.js';
import { Sandbox } from '../../../scripts/sandbox/cluster.js';
import { seed, timeoutMs } from '../follow/random-run.js';
import { send } from '../verify/pair.js';
import { oddValues } from './odd-values.js';
import type { SpoiltFilesFound, SpoiltFilesInput, SpoiltFilesSaid } from './spoilt-files-process.js';
import { thorough } from '../../thorough.js';

const releases = [...(await findServers()).keys()];
const usual = releases.filter((it) => ['5.0.6', '7.0.15', '8.2.3', 'valkey-9.1.2'].includes(it));
const FILES = thorough ? 9000 : 300;
/** Longest that one file of some 100 kB may take before it counts as a hang, ms. */
const HANGS_MS = 20_000;
const program = fileURLToPath(new URL('./spoilt-files-process.ts', import.meta.url));

test.each(thorough ? releases : usual)(
  `%s: ${FILES} files, SEED=${seed}`,
  async (release) => {
    await using sandbox = await Sandbox.servers(1, { release });
    await using node = await sandbox.connect(undefined, { timeoutMs: 30_000 });
    await send(sandbox.endpoint(), oddValues(release));
    // Of every kind, and small enough for many.
    for (const key of (await node.callBuffer('KEYS', '*')) as Buffer[])
      if (((await node.callBuffer('DUMP', key)) as Buffer).length > 4000 || key.toString().startsWith('key:'))
        await node.call('DEL', key);
    await node.call('SAVE');

    const file = join(sandbox.nodes[0]?.home ?? '', 'dump.rdb');
    const found = await readSpoilt({ file, seed, from: 0, to: FILES });

    expect(found.read + found.refused).toBe(FILES);
    // Both happen: where nothing is ever read, nothing was tried but the header.
    expect(found.read).toBeGreaterThan(FILES / 50);
    expect(found.refused).toBeGreaterThan(FILES / 50);
    expect(found.maxRssBytes).toBeLessThan(500 * 1024 * 1024);
  },
  timeoutMs,
);

/** @throws Error with the case that hangs, or that was not as it should be */
async function readSpoilt(input: SpoiltFilesInput): Promise<SpoiltFilesFound> {
  const { file, execArgv } = await programOf(program);
  const child = fork(file, [JSON.stringify(input)], { execArgv, stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
  return await new Promise<SpoiltFilesFound>((resolve, reject) => {
    let [said, at] = ['', input.from];
    const hangs = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`case ${at} of SEED=${input.seed} is not done after ${HANGS_MS} ms`));
    }, HANGS_MS);
    child.stderr?.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-2000)));
    child.on('message', (message: SpoiltFilesSaid) => {
      hangs.refresh();
      if ('begins' in message) at = message.begins;
      else resolve(message);
    });
    child.on('exit', (code) => {
      clearTimeout(hangs);
      reject(new Error(`it ended with ${code} at case ${at} of SEED=${input.seed}: ${said}`));
    });
  });
}
