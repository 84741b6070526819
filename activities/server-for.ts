import { formatRelease, parseRelease } from '../model/release.js';
import { findServers, newestFor } from '../platforms/process/servers.js';

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
