import { redact, redactAcl } from '../../model/configuration/redact.js';
import type { NodeSettings } from '../../model/assessment/survey.js';
import { atLeast } from '../../model/release.js';
import { parseInfo, releaseFromInfo } from '../info.js';
import type { Sight } from './sight.js';

/** What a node runs with; what is secret of it is left out here, before anybody keeps it. */
export async function readSettings(sight: Sight): Promise<NodeSettings> {
  const { connection } = sight;
  const info = parseInfo(String(await connection.call('INFO')));
  const release = releaseFromInfo(info);
  const configuration = await sight.ask(
    'CONFIG GET *',
    'settings: what the target calls otherwise, has no more, or refuses',
    () => readDirectives(sight),
  );
  const users = atLeast(release, 6, 0)
    ? await sight.ask('ACL LIST', 'users: whether the target takes their rules', async () =>
        ((await connection.call('ACL', 'LIST')) as string[]).map(redactAcl),
      )
    : [];
  const modules = await sight.ask('MODULE LIST', 'modules', async () =>
    ((await connection.call('MODULE', 'LIST')) as unknown[][]).map(moduleOf),
  );
  const functions = atLeast(release, 7, 0)
    ? await sight.ask('FUNCTION LIST', 'functions: whether the target loads them', async () =>
        ((await connection.call('FUNCTION', 'LIST', 'WITHCODE')) as unknown[][]).map(functionOf),
      )
    : [];
  const maxClients = Number(configuration?.['maxclients'] ?? info['maxclients']);
  return {
    address: connection.address,
    ...(configuration === undefined ? {} : { configuration }),
    ...(users === undefined ? {} : { users }),
    ...(modules === undefined ? {} : { modules }),
    ...(functions === undefined ? {} : { functions }),
    cachedScripts: Number(info['number_of_cached_scripts'] ?? 0),
    ...(Number.isNaN(maxClients) ? {} : { maxClients }),
    usedMemoryBytes: Number(info['used_memory'] ?? 0),
    maxMemoryBytes: Number(info['maxmemory'] ?? 0),
    connected: Number(info['connected_clients'] ?? 0),
    primary: info['role'] === 'master',
  };
}

async function readDirectives({ connection }: Sight): Promise<Record<string, string>> {
  const flat = (await connection.call('CONFIG', 'GET', '*')) as string[];
  const directives: Record<string, string> = {};
  for (let i = 0; i + 1 < flat.length; i += 2) {
    const [name = '', value = ''] = [flat[i], flat[i + 1]];
    directives[name] = redact(name, value);
  }
  return directives;
}

const field = (flat: readonly unknown[], name: string): unknown => flat[flat.indexOf(name) + 1];

const moduleOf = (flat: readonly unknown[]): { name: string; version: number } => ({
  name: String(field(flat, 'name')),
  version: Number(field(flat, 'ver')),
});

const functionOf = (flat: readonly unknown[]): { library: string; code: string } => ({
  library: String(field(flat, 'library_name')),
  code: String(field(flat, 'library_code')),
});
