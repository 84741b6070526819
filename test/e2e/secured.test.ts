import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { selfSigned } from '../../scripts/sandbox/certificate.js';
import { Sandbox } from '../../scripts/sandbox/cluster.js';
import { Dataset } from './stage/dataset.js';
import { expectCompleted, expectSecret, expectUnnoticed, readReport } from './stage/evidence.js';
import { expectWhole, readNodes } from './stage/nodes.js';
import { Stage } from '../../scripts/sandbox/stage.js';
import { thoroughly } from '../thorough.js';

// A cluster that lets nobody in without a secret comes out as it went in, and the secret stays where it was.
const password = 'swordfish-of-the-cluster';
const hidden = 'config-under-a-hidden-name';
const ofRollout = 'swordfish-of-rollout';
const ofShop = 'swordfish-of-the-shop';
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open({
    environment: { CLUSTER_PASSWORD: password, CONFIG_NAME: hidden, ROLLOUT_PASSWORD: ofRollout },
  });
});
afterAll(() => stage[Symbol.asyncDispose]());

thoroughly(
  '5.0.6 with a password, an append-only file and renamed commands',
  async () => {
    const commands = { CONFIG: hidden };
    await using cluster = await Sandbox.cluster({
      release: '5.0.6',
      endpoint: { password, commands },
      configuration: [
        `requirepass ${password}`,
        `masterauth ${password}`,
        'appendonly yes',
        `rename-command CONFIG ${hidden}`,
        'rename-command FLUSHALL ""',
        'maxmemory 300mb',
        'save 900 1',
      ],
    });
    const dataset = await Dataset.write(cluster, 400);
    const before = await readNodes(cluster);
    await stage.deploy('locked', cluster, {
      credentials: { password: 'env:CLUSTER_PASSWORD' },
      commands: { CONFIG: 'env:CONFIG_NAME' },
    });

    const operation = await stage.start('locked', '8.0');
    const outcome = await operation.result();

    expectCompleted(outcome);
    await expectWhole(cluster, { release: '8.0.6', before });
    await dataset.expectSame(10_000);
    const report = await readReport(outcome);
    expectUnnoticed(report);
    await expectSecret(stage, operation, [password, hidden]);
    for (const node of cluster.nodes) {
      await using connection = await cluster.connect(node);
      await expect(connection.call('FLUSHALL')).rejects.toThrow(/unknown command/);
    }
  },
  600_000,
);

test('7.0 over TLS, with ACL users and an append-only file', async () => {
  const tls = selfSigned(stage.root);
  await using cluster = await Sandbox.cluster({
    release: '7.0',
    primaries: 1,
    endpoint: { username: 'rollout', password: ofRollout, tls: tls.trust },
    configuration: [
      `user default on >${password} ~* &* +@all`,
      `user rollout on >${ofRollout} ~* &* +@all -flushall -flushdb`,
      `user shop on >${ofShop} ~shop:* resetchannels &orders +@read +@write -@dangerous +ping`,
      'user retired off nopass ~* &* +@all',
      'masteruser rollout',
      `masterauth ${ofRollout}`,
      'appendonly yes',
      ...tls.lines,
      'tls-auth-clients no',
      'tls-replication yes',
      'tls-cluster yes',
    ],
  });
  const dataset = await Dataset.write(cluster, 400);
  const before = await readNodes(cluster);
  await stage.deploy('sealed', cluster, {
    credentials: { username: 'rollout', password: 'env:ROLLOUT_PASSWORD' },
    tls: { ca: tls.cert },
    policy: { handover: 'fast' },
  });

  const operation = await stage.start('sealed', '8.0');
  const outcome = await operation.result();

  expectCompleted(outcome);
  await expectWhole(cluster, { release: '8.0.6', before });
  await dataset.expectSame(10_000);
  expectUnnoticed(await readReport(outcome));
  await expectSecret(stage, operation, [ofRollout, sha256(ofRollout), ofShop, sha256(ofShop)]);
  await theShopMayDoWhatItMight(cluster);
}, 600_000);

async function theShopMayDoWhatItMight(cluster: Sandbox): Promise<void> {
  for (const node of cluster.nodes) {
    await using connection = await cluster.connect(node);
    const may = async (user: string, ...command: string[]): Promise<boolean> =>
      String(await connection.call('ACL', 'DRYRUN', user, ...command)) === 'OK';
    expect([
      await may('shop', 'GET', 'shop:1'),
      await may('shop', 'GET', 'other:1'),
      await may('shop', 'CONFIG', 'GET', 'maxmemory'),
      await may('rollout', 'FLUSHALL'),
    ]).toEqual([true, false, false, false]);
    expect(await connection.call('ACL', 'USERS')).toEqual(
      expect.arrayContaining(['default', 'retired', 'rollout', 'shop']),
    );
  }
}
