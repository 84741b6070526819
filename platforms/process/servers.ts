import { execFile } from 'node:child_process';
import { access, constants, readdir } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { compareNumbers, parseRelease, release, satisfies } from '../../model/release.js';
import { cacheFolder } from '../../launch/cache.mjs';

const run = promisify(execFile);

/** Path of redis-server by release. */
export type Servers = ReadonlyMap<string, string>;

/**
 * The servers that can be started here: those named in the deployment file, then the one on PATH, then the cache of
 * `npm run setup` (folders `servers/redis-8.0.6/bin`). The first mention of a release wins.
 */
export async function findServers(named: Readonly<Record<string, string>> = {}): Promise<Servers> {
  const found = new Map<string, string>(Object.entries(named));
  const add = (name: string | undefined, path: string): void => {
    if (name !== undefined && !found.has(name)) found.set(name, path);
  };
  for (const folder of (process.env['PATH'] ?? '').split(delimiter))
    for (const program of ['redis-server', 'valkey-server']) {
      const path = join(folder, program);
      if (folder !== '' && (await executable(path))) add(await releaseOf(path), path);
    }
  const servers = join(cacheFolder(), 'servers');
  for (const name of await readdir(servers).catch(() => [] as string[])) {
    const it = parseRelease(name);
    if (it?.patch === undefined) continue;
    const path = join(servers, name, 'bin', it.flavour === 'redis' ? 'redis-server' : 'valkey-server');
    if (await executable(path)) add(name.replace(/^redis-/, ''), path);
  }
  return new Map(
    [...found].sort(([a], [b]) => a.split('-').length - b.split('-').length || compareNumbers(release(a), release(b))),
  );
}

/** The newest release at hand that satisfies the target (`8.0` → `8.0.6`). */
export function newestFor(servers: Iterable<string>, target: string): string | undefined {
  return [...servers].filter((it) => satisfies(it, target)).sort((a, b) => compareNumbers(release(b), release(a)))[0];
}

/** What `redis-server --version` says of itself: `8.0.6` or `valkey-9.1.2`. */
export async function releaseOf(path: string): Promise<string | undefined> {
  try {
    const { stdout } = await run(path, ['--version'], { timeout: 5000 });
    const match = /^(Redis|Valkey) server v=(\d+\.\d+\.\d+)/.exec(stdout);
    return match ? (match[1] === 'Valkey' ? `valkey-${match[2]}` : match[2]) : undefined;
  } catch {
    return undefined;
  }
}

async function executable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
