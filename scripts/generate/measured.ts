import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { format } from 'prettier';
import { findServers } from '../../platforms/process/servers.js';
import type { Measured } from '../../model/knowledge/measured.js';
import { readCommandTable } from '../../redis/assess/command-table.js';
import { readGlobals } from '../../redis/assess/lua-globals.js';
import { withServer } from './with-server.js';

const folder = fileURLToPath(new URL('../../model/knowledge/measured/', import.meta.url));

/** `measured/8.0.6.json`: every command of the release, and what its scripts may name. */
export const measuredFile = (release: string): string => join(folder, `${release}.json`);

/** Asks the real server of a release. */
export const measureServer = (release: string): Promise<Measured> =>
  withServer(release, async (connection) => ({
    commands: await readCommandTable(connection),
    globals: await readGlobals(connection),
  }));

/** Writes the data of every server that can be started here, and leaves that of others as it is. */
export async function generateMeasured(): Promise<string[]> {
  const changed: string[] = [];
  for (const release of (await findServers()).keys()) {
    const file = measuredFile(release);
    const text = await format(JSON.stringify(await measureServer(release)), { parser: 'json', printWidth: 120 });
    if (text === (await readFile(file, 'utf8').catch(() => ''))) continue;
    await writeFile(file, text);
    changed.push(file);
  }
  return changed;
}
