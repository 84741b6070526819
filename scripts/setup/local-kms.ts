import { join } from 'node:path';
import { mkdir } from 'node:fs/promises';
import { runCommand } from './command.js';
import type { Route } from './route.js';
import { onPath } from './search-path.js';

/** `redis-rollout-kms PORT FOLDER`: AWS KMS's API with real keys, on loopback. */
export const LOCAL_KMS = 'redis-rollout-kms';

/** Our launcher of it, with what it is built from by name, version and hash. */
const sources = join(import.meta.dirname, 'local-kms');

/** Go's module proxy and checksum database verify what is fetched, and go.sum says what that has to be. */
export const localKmsByGo: Route = {
  name: 'Go module github.com/nsmithuk/local-kms, built here',
  async obtain(folder, { signal, note }) {
    if ((await onPath('go')).length === 0) throw new Error('there is no Go to build it with');
    note('building with Go: half a minute the first time');
    await mkdir(join(folder, 'bin'));
    await runCommand('go', ['build', '-ldflags=-s -w', '-o', join(folder, 'bin', LOCAL_KMS), '.'], {
      cwd: sources,
      env: { GOFLAGS: '-mod=readonly' },
      tailLines: 3,
      ...(signal ? { signal } : {}),
    });
    return [];
  },
};
