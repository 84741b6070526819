import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { locate } from './search-path.js';
import type { Route } from './route.js';

/** The oldest suite's, since it is loaded into servers with the C library of any suite. */
const SUITE = 'bullseye';
const LIBRARY = 'libfaketime.so.1';

/** `redis-rollout-faketime FILE PROGRAM ARGUMENTS`: the program's clock is off by what the file says (`+30s`), at any moment. */
export const FAKETIME = 'redis-rollout-faketime';

/** Path of the launcher; undefined before set-up. */
export const faketimeProgram = (): Promise<string | undefined> => locate(FAKETIME);

export const faketimeByDebian: Route = {
  name: `Debian package libfaketime (${SUITE}), unpacked`,
  async obtain(folder, { debian }) {
    const root = join(folder, 'root');
    const sources = await debian.unpack(SUITE, ['libfaketime'], root, (name) => name === 'libfaketime');
    const release = /_([\d.]+)/.exec(sources[0]?.name ?? '')?.[1] ?? '';
    const entries = await readdir(root, { recursive: true, withFileTypes: true });
    const library = entries.find((it) => it.name === LIBRARY);
    if (library === undefined) throw new Error(`no ${LIBRARY} in the unpacked package`);
    await writeStart(folder, join(library.parentPath, LIBRARY), release);
    return sources;
  },
};

/**
 * jemalloc reads the clock before the library is ready for that, so that the C library’s own allocator
 * is put in its place. What counts intervals is left as it is: a clock that is set forward makes no timer fire.
 */
async function writeStart(folder: string, library: string, release: string): Promise<void> {
  const start = join(folder, 'bin', FAKETIME);
  await mkdir(join(folder, 'bin'), { recursive: true });
  const lines = [
    '#!/bin/sh',
    'here=$(dirname "$(readlink -f "$0")")/..',
    'file=$1',
    'shift',
    'export FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1',
    `export LD_PRELOAD="$here/${relative(folder, library)} libc.so.6"`,
    // Whether it can be loaded here at all is asked with it.
    `if [ "$file" = --version ]; then exec echo "libfaketime ${release}"; fi`,
    'export FAKETIME_TIMESTAMP_FILE="$file"',
    'exec "$@"',
  ];
  await writeFile(start, `${lines.join('\n')}\n`);
  await chmod(start, 0o755);
}
