import { dirname, isAbsolute, join } from 'node:path';
import { RolloutError } from '../model/failures.js';
import type { NodePlace } from '../model/work.js';
import type { NodeConnection } from '../redis/connection.js';
import { releaseFromInfo } from '../redis/info.js';
import { getDirective, readInfo } from '../redis/node.js';

/** Where a running node keeps its files, by its own account. */
export async function placeOf(connection: NodeConnection): Promise<Omit<NodePlace, 'pending'>> {
  const info = await readInfo(connection, 'server');
  const directive = async (name: string): Promise<string> => (await getDirective(connection, name)) ?? '';
  const [home, datasetFile, log, cluster] = [
    await directive('dir'),
    await directive('dbfilename'),
    await directive('logfile'),
    await directive('cluster-config-file'),
  ];
  const configurationFile = info['config_file'] ?? '';
  if (configurationFile === '')
    throw new RolloutError(
      'BadInput',
      `${connection.address} runs without a configuration file: start it with one, so that it can be started again as it is`,
    );
  const pid = Number(info['process_id']);
  return {
    address: connection.address,
    home,
    configurationFile: inHome({ home }, configurationFile),
    ...(log === '' ? {} : { logFile: inHome({ home }, log) }),
    datasetFile,
    // Not to be asked for before 7.0; the default is what nearly everyone has.
    clusterFile:
      cluster === ''
        ? 'nodes.conf'
        : isAbsolute(cluster) && dirname(cluster) === home
          ? cluster.slice(home.length + 1)
          : cluster,
    release: releaseFromInfo(info),
    ...(pid > 0 ? { pid } : {}),
  };
}

/** Where a file is that a server knows by this name: what isn't absolute is in its folder. */
export const inHome = ({ home }: Pick<NodePlace, 'home'>, name: string): string =>
  isAbsolute(name) ? name : join(home, name);
