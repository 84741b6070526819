import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where set-up keeps what it fetched: ROLLOUT_CACHE, else the user's cache folder. */
export function cacheFolder(environment: NodeJS.ProcessEnv = process.env): string {
  if (environment['ROLLOUT_CACHE']) return environment['ROLLOUT_CACHE'];
  if (environment['XDG_CACHE_HOME']) return join(environment['XDG_CACHE_HOME'], 'redis-rollout');
  return process.platform === 'darwin'
    ? join(homedir(), 'Library', 'Caches', 'redis-rollout')
    : join(homedir(), '.cache', 'redis-rollout');
}
