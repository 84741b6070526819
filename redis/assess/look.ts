import { patternOf } from '../../model/assessment/pattern.js';
import type { ClientSeen, NodeLook } from '../../model/assessment/survey.js';
import { splitAddress } from '../../model/endpoint.js';
import type { NodeConnection } from '../connection.js';
import { parseInfo } from '../info.js';
import type { Sight } from './sight.js';

/** What a node was asked for so far, and by whom. */
export async function lookAt(sight: Sight): Promise<NodeLook> {
  const { connection } = sight;
  const info = parseInfo(String(await connection.call('INFO')));
  const stats = parseInfo(String(await connection.call('INFO', 'commandstats')));
  const clients = await sight.ask('CLIENT LIST', 'clients: applications, libraries, protocols', () =>
    readClients(connection),
  );
  return {
    address: connection.address,
    runId: info['run_id'] ?? '',
    primary: info['role'] === 'master',
    at: Date.now(),
    calls: callsOf(stats),
    ...(clients === undefined ? {} : { clients }),
    connected: Number(info['connected_clients'] ?? 0),
  };
}

/** `cmdstat_get:calls=21,usec=175,…`: calls that the server carried out. */
function callsOf(stats: Record<string, string>): Record<string, number> {
  const calls: Record<string, number> = {};
  for (const [field, value] of Object.entries(stats)) {
    const name = /^cmdstat_(.+)$/.exec(field)?.[1];
    const count = Number(/(?:^|,)calls=(\d+)/.exec(value)?.[1] ?? 0);
    if (name !== undefined && count > 0) calls[name.toLowerCase()] = count;
  }
  return calls;
}

/** Clients but for replicas, primaries, those that MONITOR, and this connection itself. */
export async function readClients(connection: NodeConnection): Promise<ClientSeen[]> {
  const own = String(await connection.call('CLIENT', 'ID'));
  return clientsIn(String(await connection.call('CLIENT', 'LIST')), own);
}

function clientsIn(list: string, own: string): ClientSeen[] {
  return list.split('\n').flatMap((line) => {
    const fields = new Map(
      line.split(' ').map((field) => {
        const equals = field.indexOf('=');
        return [field.slice(0, equals), field.slice(equals + 1)] as const;
      }),
    );
    const of = (name: string): string | undefined => fields.get(name) || undefined;
    const [flags, address] = [of('flags'), of('addr')];
    if (flags === undefined || address === undefined || /[SMO]/.test(flags) || of('id') === own) return [];
    const { host } = splitAddress(address);
    const [name, user, library, version] = [of('name'), of('user'), of('lib-name'), of('lib-ver')];
    const command = of('cmd');
    return [
      {
        application: patternOf(name ?? (user === 'default' ? undefined : user) ?? host),
        address,
        ...(user === undefined ? {} : { user }),
        ...(library === undefined ? {} : { library }),
        ...(version === undefined ? {} : { version }),
        ...(of('resp') === undefined ? {} : { protocol: Number(of('resp')) }),
        ...(command === undefined || command === 'NULL' ? {} : { command: command.toLowerCase() }),
        blocked: flags.includes('b'),
        readOnly: flags.includes('r'),
        idleSeconds: Number(of('idle') ?? 0),
      },
    ];
  });
}
