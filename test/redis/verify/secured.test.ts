import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Endpoint } from '../../../redis/connection.js';
import { verifyReplica } from '../../../redis/verify/verify-replica.js';
import { selfSigned } from '../../../scripts/sandbox/certificate.js';
import { Sandbox, until } from '../../../scripts/sandbox/cluster.js';
import { send } from './pair.js';

type Secured = Omit<Endpoint, 'host' | 'port'>;

/** Compares two servers of one sandbox before and after one of three keys is lost on the replica. */
async function compareSecured(release: string, endpoint: Secured, configuration: string[]): Promise<void> {
  await using servers = await Sandbox.servers(2, { release, endpoint, configuration });
  const [a, b] = servers.nodes;
  if (!a || !b) throw new Error('two nodes expected');
  await using replica = await servers.connect(b);
  await replica.call('REPLICAOF', '127.0.0.1', a.port);
  await until('the replica is linked', async () =>
    String(await replica.call('INFO', 'replication')).includes('master_link_status:up'),
  );
  await send(servers.endpoint(a), [
    ['SET', 'a', 1],
    ['HSET', 'b', 'f', 1],
    ['SET', 'c', 2, 'EX', 1000],
  ]);
  const ends = { primary: servers.endpoint(a), replica: servers.endpoint(b) };
  const verify = () => verifyReplica({ shard: 's', mode: 'all', ttlToleranceMs: 1000, ...ends });
  expect(await verify()).toMatchObject({ keys: 3, different: 0 });
  await replica.call('CONFIG', 'SET', 'slave-read-only', 'no');
  await replica.call('DEL', 'b');
  expect(await verify()).toMatchObject({ different: 1, examples: [{ key: 'b' }] });
}

// A bulk connection that forgets what the deployment file says of TLS, users, passwords and renamed commands.
test('over TLS, as a user with an umlaut in the password', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'redis-rollout-tls-'));
  try {
    const tls = selfSigned(folder);
    await compareSecured('8.0', { username: 'admin', password: 'pässword', tls: tls.trust }, [
      'user admin on >pässword ~* &* +@all',
      'user default off',
      'masteruser admin',
      'masterauth pässword',
      ...tls.lines,
      'tls-auth-clients no',
      'tls-replication yes',
    ]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('with requirepass and renamed commands', async () => {
  await compareSecured('5.0.6', { password: 'secret', commands: { SCAN: 'walk', CONFIG: 'settings' } }, [
    'requirepass secret',
    'masterauth secret',
    'rename-command SCAN walk',
    'rename-command CONFIG settings',
  ]);
});
