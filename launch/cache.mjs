// @ts-check
import { homedir } from 'node:os';
import { join } from 'node:path';

/**
 * Where set-up keeps what it fetched, and bundles are kept: ROLLOUT_CACHE, else the user's cache folder.
 *
 * @param {Readonly<Record<string, string | undefined>>} [environment]
 * @returns {string}
 */
export function cacheFolder(environment = process.env) {
  if (environment['ROLLOUT_CACHE']) return environment['ROLLOUT_CACHE'];
  if (environment['XDG_CACHE_HOME']) return join(environment['XDG_CACHE_HOME'], 'redis-rollout');
  return process.platform === 'darwin'
    ? join(homedir(), 'Library', 'Caches', 'redis-rollout')
    : join(homedir(), '.cache', 'redis-rollout');
}
