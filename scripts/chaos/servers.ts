import { parseInfo, releaseFromInfo } from '../../redis/info.js';
import type { Sandbox, SandboxNode } from '../sandbox/cluster.js';
import type { ServerNow } from './statement.js';

/** Every node as its server says it is now. */
export const readServers = (cluster: Sandbox): Promise<ServerNow[]> =>
  Promise.all(
    cluster.nodes.map((node) =>
      readServer(cluster, node).catch(() => ({ address: node.address, release: undefined, serves: false, runId: '' })),
    ),
  );

async function readServer(cluster: Sandbox, node: SandboxNode): Promise<ServerNow> {
  await using connection = await cluster.connect(node);
  const info = parseInfo(String(await connection.call('INFO')));
  const [own = ''] = String(await connection.call('CLUSTER', 'NODES'))
    .split('\n')
    .filter((line) => line.includes('myself'));
  const hasSlots = own.trim().split(' ').length > 8;
  return {
    address: node.address,
    release: releaseFromInfo(info),
    serves: info['role'] === 'master' && hasSlots,
    runId: info['run_id'] ?? '',
  };
}
