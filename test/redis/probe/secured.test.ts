import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readBackLedger, removeProbeKeys } from '../../../redis/probe/read-back.js';
import { selfSigned } from '../../../scripts/sandbox/certificate.js';
import { Sandbox } from '../../../scripts/sandbox/cluster.js';
import { inputFor, keys, operations, scratch, startProbe } from './probed-cluster.js';

test('TLS, an ACL user of its own and a password: it measures, and no secret is in its command line', async () => {
  using place = scratch();
  const tls = selfSigned(place.folder);
  const secret = 'a-secret-of-the-default-user';
  await using cluster = await Sandbox.cluster({
    release: '8.0',
    replicasEach: 0,
    endpoint: { password: secret, tls: tls.trust },
    configuration: [
      `requirepass ${secret}`,
      `masterauth ${secret}`,
      ...tls.lines,
      'tls-auth-clients no',
      'tls-replication yes',
      'tls-cluster yes',
      'user prober on >its-own-password ~probe:* +@all -@dangerous +cluster|slots +cluster|info +info',
      'user guest on >guest-password ~other:* +@all',
    ],
  });
  const primaries = cluster.nodes.slice(0, 3);
  const input = inputFor(cluster, join(place.folder, 'probe'));
  const as = (username: string, password: string) => ({
    ...input,
    endpoint: { ...input.endpoint, username, password },
  });
  const before = await keys(cluster, primaries);

  await expect(startProbe(as('prober', 'wrong'))).rejects.toMatchObject({ type: 'Unauthorized' });
  await expect(startProbe(as('guest', 'guest-password'))).rejects.toMatchObject({ type: 'MissingPermission' });

  const probe = await startProbe(as('prober', 'its-own-password'));
  await operations(probe, 200);
  for (const file of ['cmdline', 'environ'])
    expect(await readFile(`/proc/${probe.pid}/${file}`, 'utf8')).not.toContain('its-own-password');
  const report = await probe.stop();
  expect(report.series).toHaveLength(12);
  for (const series of report.series) expect(series.failures).toEqual({});
  const own = as('prober', 'its-own-password');
  expect(await readBackLedger(own)).toMatchObject({ lost: 0 });
  await expect(readBackLedger(as('guest', 'guest-password'))).rejects.toMatchObject({ type: 'MissingPermission' });
  await removeProbeKeys(own);
  expect(await keys(cluster, primaries)).toBe(before);
}, 600_000);

test('renamed commands: the raw client measures alone, and the report says why', async () => {
  const commands = { CLUSTER: 'topology', UNLINK: 'erase' };
  await using cluster = await Sandbox.servers(1, {
    release: '5.0.6',
    endpoint: { commands },
    configuration: ['cluster-enabled yes', 'rename-command CLUSTER topology', 'rename-command UNLINK erase'],
  });
  using place = scratch();
  await using node = await cluster.connect();
  for (let slot = 0; slot < 16384; slot += 1024)
    await node.call('CLUSTER', 'ADDSLOTS', ...Array.from({ length: 1024 }, (_, i) => slot + i));
  const input = inputFor(cluster, place.folder, 1);
  const probe = await startProbe(input);
  await operations(probe, 50);
  const report = await probe.stop();
  expect(report.series.map(({ client }) => client)).toEqual(['raw', 'raw']);
  expect(report.notes).toEqual([expect.stringContaining('CLUSTER')]);
  expect(await readBackLedger(input)).toMatchObject({ lost: 0 });
  await removeProbeKeys(input);
  expect(await keys(cluster, cluster.nodes)).toBe(0);
});
