import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findServers } from '../../../platforms/process/servers.js';
import type { Stage } from '../../../scripts/sandbox/stage.js';

/**
 * A shell script that is started in the place of a release's server.
 *
 * @param lines what it does; told where the real server lies
 * @returns its path, for `platform.servers` of a deployment
 */
export async function inPlaceOfServer(
  { root }: Stage,
  name: string,
  lines: (server: string) => readonly string[],
  release = '8.0.6',
): Promise<string> {
  const server = (await findServers()).get(release);
  if (server === undefined) throw new Error(`no server of release ${release} here: run \`npm run setup\``);
  const path = join(root, name);
  await writeFile(path, ['#!/bin/sh', ...lines(server), ''].join('\n'), { mode: 0o755 });
  return path;
}
