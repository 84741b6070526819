import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findServers } from '../../platforms/process/servers.js';
import type { NodeConnection } from '../../redis/connection.js';
import { readConfiguration } from '../../redis/configuration.js';
import { withServer } from './with-server.js';

/** Directives whose default says something of the machine, not of the release. */
const ofTheMachine = new Set(['dir', 'port', 'bind', 'pidfile', 'logfile', 'configfile', 'save']);

export const directivesFolder = fileURLToPath(new URL('../../model/configuration/directives/', import.meta.url));

/** `directives/8.0.6.json`: every directive that CONFIG GET names, with its default. */
export const directivesFile = (release: string): string => join(directivesFolder, `${release}.json`);

const categoriesFolder = fileURLToPath(new URL('../../model/configuration/categories/', import.meta.url));

/** `categories/8.0.6.json`: the commands of each ACL category. */
export const categoriesFile = (release: string): string => join(categoriesFolder, `${release}.json`);

export interface Asked {
  /** Every directive that CONFIG GET names, with its default; what depends on the machine is left empty. */
  directives: Record<string, string>;
  /** The commands of each ACL category, with spaces between; none before 6.0. */
  categories: Record<string, string>;
}

/** Asks the real server of a release what it has. */
export const askServer = (release: string): Promise<Asked> =>
  withServer(release, async (connection) => {
    const { running, acl } = await readConfiguration(connection);
    const directives = Object.entries(running)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => [name, ofTheMachine.has(name) ? '' : value]);
    return {
      directives: Object.fromEntries(directives) as Record<string, string>,
      categories: acl.length > 0 ? await askCategories(connection) : {},
    };
  });

async function askCategories(connection: NodeConnection): Promise<Record<string, string>> {
  const categories: Record<string, string> = {};
  for (const category of ((await connection.call('ACL', 'CAT')) as string[]).sort())
    categories[category] = ((await connection.call('ACL', 'CAT', category)) as string[]).sort().join(' ');
  return categories;
}

/**
 * Writes the data of every server that can be started here, and leaves that of others as it is. Returns the files
 * that changed.
 */
export async function generateDirectives(): Promise<string[]> {
  const changed: string[] = [];
  for (const release of (await findServers()).keys()) {
    const { directives, categories } = await askServer(release);
    const files = [
      [directivesFile(release), directives],
      ...(Object.keys(categories).length > 0 ? [[categoriesFile(release), categories] as const] : []),
    ] as const;
    for (const [file, data] of files) {
      const text = `${JSON.stringify(data, undefined, 2)}\n`;
      if (text === (await readFile(file, 'utf8').catch(() => ''))) continue;
      await writeFile(file, text);
      changed.push(file);
    }
  }
  return changed;
}
