import { RolloutError } from '../model/failures.js';
import { formatRelease, parseRelease } from '../model/release.js';
import { findServers, newestFor } from '../platforms/process/servers.js';
import { oldestFirst } from './assess-fallback.js';

/** Of the very release, or a patch of the same line; none where neither is at hand. */
export async function serverFor(
  release: string | undefined,
  named: Readonly<Record<string, string>>,
): Promise<{ release: string; program: string } | undefined> {
  const parsed = release === undefined ? undefined : parseRelease(release);
  if (release === undefined || !parsed) return undefined;
  const servers = await findServers(named);
  const { flavour, major, minor } = parsed;
  const chosen = servers.has(release) ? release : newestFor(servers.keys(), formatRelease({ flavour, major, minor }));
  const program = chosen === undefined ? undefined : servers.get(chosen);
  return chosen === undefined || program === undefined ? undefined : { release: chosen, program };
}

/**
 * One for data of several releases: of the newest of them, since what that propagates an older one would drop without a word.
 *
 * @param what it is for, as a sentence goes on: `to restore it into`
 * @throws RolloutError MissingServer
 */
export async function serverForAll(
  releases: readonly string[],
  named: Readonly<Record<string, string>>,
  what: string,
): Promise<{ release: string; program: string }> {
  const newest = oldestFirst(releases).at(-1);
  const server = await serverFor(newest, named);
  if (server) return server;
  throw new RolloutError(
    'MissingServer',
    `no server of ${newest ?? 'an unknown release'} is here ${what}: npm run setup, or platform.servers`,
  );
}
