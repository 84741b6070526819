import { mkdir, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { runCommand } from './command.js';
import { onPath } from './search-path.js';
import type { Route } from './route.js';

/** Redis' own source, built here. The SHA-256 of each tarball is the one that Redis publishes in redis/redis-hashes. */
export function sourceBuild(release: string, sha256: string): Route {
  return {
    name: 'official source, built here',
    async obtain(folder, { downloads, signal, note }) {
      for (const tool of ['make', 'cc', 'tar'])
        if ((await onPath(tool)).length === 0) throw new Error(`there is no ${tool} to build it with`);
      const source = join(folder, 'source');
      await mkdir(source);
      const url = `https://download.redis.io/releases/redis-${release}.tar.gz`;
      const { path, source: fetched } = await downloads.fetch({ url, sha256 }, folder);
      const options = { cwd: source, tailLines: 5, ...(signal ? { signal } : {}) };
      await runCommand('tar', ['-xzf', path, '--strip-components=1'], options);
      note('building from source: a minute or two');
      const make = ['MALLOC=libc', ...((await hasOpenssl()) && Number(release[0]) >= 6 ? ['BUILD_TLS=yes'] : [])];
      await runCommand('make', [`-j${availableParallelism()}`, ...make], options);
      await runCommand('make', ['install', `PREFIX=${folder}`, ...make], options);
      await rm(source, { recursive: true });
      await rm(path);
      return [fetched];
    },
  };
}

const hasOpenssl = (): Promise<boolean> =>
  runCommand('pkg-config', ['--exists', 'openssl']).then(
    () => true,
    () => false,
  );
