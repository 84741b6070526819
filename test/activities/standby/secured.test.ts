import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freezeNow } from '../../../activities/standby-freeze.js';
import { takeAway } from '../../../activities/standby-removal.js';
import { sync } from '../../../activities/standby-sync.js';
import { at, connect } from '../../../redis/connection.js';
import { selfSigned } from '../../../scripts/sandbox/certificate.js';
import { Sandbox } from '../../../scripts/sandbox/cluster.js';
import { send } from '../../redis/verify/pair.js';
import { StandbyStage } from './stage.js';

// A standby lets in whom its primary lets in, and nobody else; and what is hidden there is hidden here.
const password = 'swordfish';
const tell = (): void => undefined;
let folder: string;
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'redis-rollout-tls-'))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('5.0.6 with a password that the primary itself follows nobody with, and renamed commands', async () => {
  const commands = { CONFIG: 'hidden-config', PEXPIRE: 'hidden-pexpire', REPLICAOF: 'hidden-replicaof' };
  const renamed = Object.entries(commands).map(([command, name]) => `rename-command ${command} ${name}`);
  await using cluster = await Sandbox.cluster({
    ...{ release: '5.0.6', primaries: 1, endpoint: { password, commands } },
    configuration: [`requirepass ${password}`, `masterauth ${password}`, ...renamed, 'maxmemory 300mb', 'save 900 1'],
  });
  await cluster.ask(cluster.nodes[0]?.address, 'CONFIG', 'SET', 'masterauth', '');
  await using stage = await StandbyStage.open(cluster);
  const step = { shard: 'shard-1', primary: stage.primary, tell };
  await cluster.ask(stage.primary, 'SET', 'k', 'v', 'EX', 1000);
  await sync(await stage.attempt(), step);
  const { entry } = await freezeNow(await stage.attempt(), step);
  expect(entry.serveWith).toMatchObject({ maxmemory: String(300 * 1024 ** 2), save: '900 1' });
  expect(JSON.stringify(await stage.standbys())).not.toContain(password);
  const endpoint = at(cluster.endpoint(), entry.address);
  await using standby = await connect(endpoint);
  const [, left] = await standby.pipeline([['ASKING'], ['TTL', 'k']]);
  expect(Number(left)).toBeGreaterThan(3600);
  await expect(connect({ ...endpoint, password: 'wrong' })).rejects.toMatchObject({ type: 'Unauthorized' });
  await using plain = await connect({ ...endpoint, commands: {} });
  await expect(plain.call('CONFIG', 'GET', 'save')).rejects.toThrow(/unknown command/);
  await takeAway(await stage.attempt(), entry);
}, 240_000);

test('7.0 over TLS, with users of whom one was never written down', async () => {
  const tls = selfSigned(folder);
  await using cluster = await Sandbox.cluster({
    ...{ release: '7.0', primaries: 1 },
    endpoint: { username: 'rollout', password, tls: tls.trust },
    configuration: [
      `user default on >${password} ~* &* +@all`,
      `user rollout on >${password} ~* &* +@all`,
      `user shop on >shop-${password} ~shop:* resetchannels +@read +ping`,
      ...['masteruser rollout', `masterauth ${password}`, 'appendonly yes', 'tls-auth-clients no'],
      ...tls.lines,
      ...['tls-replication yes', 'tls-cluster yes'],
    ],
  });
  await using stage = await StandbyStage.open(cluster);
  const step = { shard: 'shard-1', primary: stage.primary, tell };
  await cluster.ask(stage.primary, 'SET', 'shop:k', 'v');
  // Set while it runs: its file does not have it.
  await cluster.ask(stage.primary, 'ACL', 'SETUSER', 'late', 'on', 'nopass', '+ping');
  await sync(await stage.attempt(), step);
  const { entry } = await freezeNow(await stage.attempt(), step);
  const endpoint = at(cluster.endpoint(), entry.address);
  await using shop = await connect({ ...endpoint, username: 'shop', password: `shop-${password}` });
  await expect(shop.call('SET', 'shop:k', 'x')).rejects.toThrow(/NOPERM/);
  (await connect({ ...endpoint, username: 'late', password: 'any' })).close();
  await expect(connect({ ...endpoint, username: 'nobody' })).rejects.toMatchObject({ type: 'Unauthorized' });
  await takeAway(await stage.attempt(), entry);
}, 240_000);

test('a dataset that takes a while to load, which a server of 5.0 answers nearly nothing meanwhile', async () => {
  await using cluster = await Sandbox.cluster({ release: '5.0.6', primaries: 1, replicasEach: 0 });
  await using stage = await StandbyStage.open(cluster);
  const step = { shard: 'shard-1', primary: stage.primary, tell };
  const value = 'x'.repeat(40);
  for (let at = 0; at < 400_000; at += 40_000)
    await send(
      cluster.endpoint(),
      Array.from({ length: 40_000 }, (_, n) => ['SET', `key:${at + n}`, value] as const),
    );
  const { entry } = await freezeNow(await stage.attempt(), step);
  await using standby = await connect(at(cluster.endpoint(), entry.address));
  expect(await standby.call('DBSIZE')).toBe(400_001);
}, 240_000);
