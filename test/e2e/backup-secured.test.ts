// A backup over TLS, by users who may do no more than they have to; and what they lack is named, before anything is written.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { RestoreForecast, RestoreResult } from '../../model/backup-restore.js';
import { backupWorkflowId, operationId, restorePlanWorkflowId, TASK_QUEUE } from '../../model/names.js';
import { selfSigned, type Certificate } from '../../scripts/sandbox/certificate.js';
import { Sandbox } from '../../scripts/sandbox/cluster.js';
import { historyText } from '../../scripts/sandbox/operation.js';
import type { Stage } from '../../scripts/sandbox/stage.js';
import { documentedUser } from '../redis/documented-acl.js';
import { oddValues } from '../redis/rdb/odd-values.js';
import { send } from '../redis/verify/pair.js';
import { encryption, failureOf, openBackupStage } from './stage/backups.js';

const password = 'swordfish-of-the-cluster';
const ofRollout = 'swordfish-of-rollout';

let folder: string;
let tls: Certificate;
let stage: Stage;
let source: Sandbox;
let target: Sandbox;
let keys: number;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'redis-rollout-tls-'));
  tls = selfSigned(folder);
  stage = await openBackupStage(undefined, { worker: { ROLLOUT_TEST_PASSWORD: ofRollout } });
  source = await secured('8.0', 1, documentedUser(ofRollout, 'acl-backup'));
  target = await secured('7.0', 0, documentedUser(ofRollout, 'acl-load'));
  await send(source.endpoint(), oddValues('7.0.15'));
  keys = Number(await source.ask(source.nodes[0]?.address, 'DBSIZE'));
  const credentials = { username: 'rollout', password: 'env:ROLLOUT_TEST_PASSWORD' };
  const secret = { credentials, tls: { ca: tls.cert } };
  const backup = { directory: join(stage.root, 'backups'), encryption };
  await stage.deploy('orders', source, { backup, ...secret });
  await stage.deploy('copy', target, { backup, ...secret });
  await stage.deploy('strangers', source, { backup, credentials, tls: {} });
});
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
  await source[Symbol.asyncDispose]();
  await target[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
  vi.unstubAllEnvs();
});

/** With that certificate, one user who may do everything, and the one that is given. */
function secured(release: string, replicasEach: number, user: string): Promise<Sandbox> {
  return Sandbox.cluster({
    ...{ release, primaries: 1, replicasEach },
    endpoint: { username: 'default', password, tls: tls.trust },
    configuration: [
      ...[`user default on >${password} ~* &* +@all`, user, `masterauth ${password}`],
      ...tls.lines,
      ...['tls-auth-clients no', 'tls-replication yes', 'tls-cluster yes'],
    ],
  });
}

const run = (type: string, deployment: string, workflowId: string, more: object = {}) =>
  stage.client.workflow.execute(type, {
    ...{ workflowId, taskQueue: TASK_QUEUE, args: [{ deployment, startedBy: 'ana', ...more }] },
  });
const backUp = (deployment = 'orders') => run('backup', deployment, backupWorkflowId(deployment));
const restore = (more: object = {}) => run('restore', 'copy', operationId('copy'), { from: 'orders', ...more });

/** Without the right, at every node of it. */
async function without(cluster: Sandbox, right: string, act: () => Promise<void>): Promise<void> {
  const all = async (sign: '+' | '-'): Promise<void> => {
    for (const { address } of cluster.nodes) await cluster.ask(address, 'ACL', 'SETUSER', 'rollout', `${sign}${right}`);
  };
  await all('-');
  await act();
  await all('+');
}

test('every type of value goes into a backup and out of it again, by users who may do just that', async () => {
  const taken = (await backUp()) as { shards: { role: string; keys: number }[] };
  expect(taken.shards).toMatchObject([{ role: 'replica', keys }]);

  const done = (await restore()) as RestoreResult;

  expect(done).toMatchObject({
    written: { keys },
    compared: [{ same: keys, different: 0, missing: 0 }],
    liveWriters: false,
  });
  expect(await target.ask(target.nodes[0]?.address, 'FUNCTION', 'LIST')).toHaveLength(1);
  for (const workflowId of [backupWorkflowId('orders'), operationId('copy')]) {
    const text = historyText(await stage.client.workflow.getHandle(workflowId).fetchHistory());
    expect(text).toContain('orders');
    expect(text).not.toMatch(/swordfish/);
  }
}, 240_000);

test('each right that the source’s user lacks is named, and there is no backup', async () => {
  for (const right of ['ping', 'info', 'cluster|nodes', 'cluster|info', 'config|get', 'replconf', 'psync'])
    await without(source, right, async () => {
      const failure = await failureOf(backUp());
      expect(failure, right).toMatchObject({ type: 'MissingPermission' });
      expect(failure.message, right).toContain(right.toUpperCase().replace('|', ' '));
    });
}, 240_000);

test('each right that the target’s user lacks is named before anything is written, in a dry run too', async () => {
  const [node] = target.nodes;
  await target.ask(node?.address, 'FLUSHALL');
  await without(target, 'restore', async () =>
    without(target, 'wait', async () => {
      const forecast = (await run('restore', 'copy', restorePlanWorkflowId('copy'), {
        ...{ from: 'orders', dryRun: true },
      })) as RestoreForecast;
      expect(forecast.targets[0]?.mayNot).toEqual({ user: 'rollout', commands: ['WAIT', 'RESTORE'] });
      const failure = await failureOf(restore());
      expect(failure).toMatchObject({ type: 'MissingPermission' });
      expect(failure.message).toContain('ACL SETUSER rollout +wait +restore');
      expect(failure.message).toContain('Nothing was written to copy.');
    }),
  );
  expect(await target.ask(node?.address, 'DBSIZE')).toBe(0);
  await without(target, 'exists', async () => {
    expect(await failureOf(restore())).toMatchObject({ type: 'MissingPermission' });
  });
  // Libraries are not in every backup: seen when they are loaded.
  await without(target, 'function|load', async () => {
    const failure = await failureOf(restore());
    expect(failure).toMatchObject({ type: 'MissingPermission' });
    expect(failure.message).toContain('FUNCTION LOAD');
  });
}, 240_000);

test('a certificate that nobody here vouches for is said', async () => {
  const failure = await failureOf(backUp('strangers'));
  expect(failure).toMatchObject({ type: 'Unreachable' });
  expect(failure.message).toMatch(/self-signed certificate/);
}, 240_000);
