import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { processPlatform } from '../../platforms/process/platform.js';
import { connect, type NodeConnection } from '../../redis/connection.js';
import { claimPort } from '../sandbox/ports.js';

/** Has a server of the release, empty and as it comes, for as long as it is asked something. */
export async function withServer<T>(release: string, ask: (connection: NodeConnection) => Promise<T>): Promise<T> {
  const home = await mkdtemp(join(tmpdir(), 'redis-rollout-generate-'));
  const { port, release: giveBack } = await claimPort();
  const platform = processPlatform({ kind: 'process', servers: {}, startTimeout: 15_000, stopTimeout: 15_000 });
  const node = { address: `127.0.0.1:${port}`, home, configurationFile: join(home, 'redis.conf') };
  const token = { epoch: 1, holder: 'generate' };
  try {
    const configuration = `port ${port}\nbind 127.0.0.1\ndir "${home}"\nsave ""\n`;
    await platform.start(node, token, { release, configuration, arguments: [] });
    await using connection = await connect({ host: '127.0.0.1', port });
    return await ask(connection);
  } finally {
    await platform.stop(node, token, { terminate: true });
    giveBack();
    await rm(home, { recursive: true, force: true });
  }
}
