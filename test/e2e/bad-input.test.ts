import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Sandbox } from '../../scripts/sandbox/cluster.js';
import { expectUntouched, readNodes, type NodeState } from './stage/nodes.js';
import { Stage } from '../../scripts/sandbox/stage.js';

// What can't be done is refused with one clear error, before anything is touched.
const password = 'swordfish';
let stage: Stage;
let old: Sandbox;
let locked: Sandbox;
let before: { old: NodeState[]; locked: NodeState[] };

beforeAll(async () => {
  stage = await Stage.open({ environment: { RIGHT: password, WRONG: 'sailfish' } });
  old = await Sandbox.cluster({ release: '5.0.6', primaries: 1 });
  locked = await Sandbox.cluster({
    release: '7.4',
    primaries: 1,
    endpoint: { password },
    configuration: [
      `requirepass ${password}`,
      `masterauth ${password}`,
      `user guest on >${password} ~* &* +@all -cluster|failover -shutdown`,
    ],
  });
  before = { old: await readNodes(old), locked: await readNodes(locked) };
  await stage.deploy('old', old);
  const credentials = { password: 'env:RIGHT' };
  await stage.deploy('locked', locked, { credentials });
  await stage.deploy('wrong-password', locked, { credentials: { password: 'env:WRONG' } });
  await stage.deploy('no-password', locked);
  await stage.deploy('unset-password', locked, { credentials: { password: 'env:NOBODY_SET_THIS' } });
  await stage.deploy('guest', locked, { credentials: { ...credentials, username: 'guest' } });
  await stage.deploy('nowhere', old, { seeds: ['127.0.0.1:1'] });
  await stage.deploy('nobody-decides', old, {
    policy: { roles: { operations: ['olu'] }, approvals: { start: { roles: ['operations'] } } },
  });
  await writeFile(join(stage.deployments, 'malformed.yaml'), 'name: malformed\ntopology: cluster\nseeds: [here]\n');
});
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
  await Promise.all([old.stop(), locked.stop()]);
});

interface Refusal {
  what: string;
  deployment: string;
  to: string;
  type: string;
  says: RegExp[];
}
const refusals: Refusal[] = [
  { what: 'a deployment that nobody knows', deployment: 'odl', to: '8.0', type: 'UnknownDeployment', says: [/'odl'/, /did you mean 'old'/] },
  { what: 'a malformed file', deployment: 'malformed', to: '8.0', type: 'BadDeploymentFile', says: [/malformed\.yaml has \d problems/, /3:9 +seeds/, /host:port/] },
  { what: 'a name that leaves the folder', deployment: '../etc', to: '8.0', type: 'BadInput', says: [/deployment: expected the name/] },
  { what: 'a target that is no release', deployment: 'old', to: 'latest', type: 'BadInput', says: [/to: expected a release/, /"latest"/] },
  { what: 'an older target', deployment: 'locked', to: '7.2', type: 'BadTarget', says: [/7\.4\.1/, /older/] },
  { what: 'the release that runs', deployment: 'locked', to: '7.4', type: 'BadTarget', says: [/7\.4\.1/, /already/] },
  { what: 'a release without a server', deployment: 'old', to: '6.2.1', type: 'MissingServer', says: [/6\.2\.1/] },
  { what: 'a pair that shares no bus', deployment: 'old', to: '7.2', type: 'BadTarget', says: [/redis#13401/, /--to 7\.2\.4 --via 7\.0/, /--to 8\.0/] },
  { what: 'a target that reads no such snapshot', deployment: 'locked', to: 'valkey-9.1', type: 'BadTarget', says: [/7\.4\.1/, /RDB/] },
  { what: 'a seed that does not answer', deployment: 'nowhere', to: '8.0', type: 'Unreachable', says: [/127\.0\.0\.1:1/] },
  { what: 'a wrong password', deployment: 'wrong-password', to: '8.0', type: 'Unauthorized', says: [/refused the password/] },
  { what: 'no password', deployment: 'no-password', to: '8.0', type: 'Unauthorized', says: [/wants a password/] },
  { what: 'a secret that is not there', deployment: 'unset-password', to: '8.0', type: 'Unauthorized', says: [/env:NOBODY_SET_THIS/] },
  { what: 'a user that may not', deployment: 'guest', to: '8.0', type: 'MissingPermission', says: [/guest/, /CLUSTER FAILOVER/, /SHUTDOWN/] },
  { what: 'an approval that nobody can give', deployment: 'nobody-decides', to: '8.0', type: 'BadInput', says: [/'start' needs 1 of operations/, /olu/] },
]; // prettier-ignore

test.each(refusals)(
  '$what',
  async ({ deployment, to, type, says }) => {
    const failure = await (await stage.start(deployment, to)).failure();
    expect(failure).toMatchObject({ type });
    expect(failure.next).not.toBe('');
    for (const pattern of says) expect(failure.message).toMatch(pattern);
    expect(failure.message).not.toContain('sailfish');
    await expectUntouched(old, before.old);
    await expectUntouched(locked, before.locked);
  },
  600_000,
);

describe('a cluster that is degraded already', () => {
  test('an open slot', async () => {
    const [primary, replica] = old.nodes;
    if (!primary || !replica) throw new Error('the sandbox has two nodes');
    await using node = await old.connect(primary);
    await using other = await old.connect(replica);
    await node.call('CLUSTER', 'SETSLOT', 7, 'MIGRATING', String(await other.call('CLUSTER', 'MYID')));
    const failure = await (await stage.start('old', '8.0')).failure();
    expect(failure).toMatchObject({ type: 'Degraded' });
    expect(failure.message).toContain(`${primary.address} has open slots: `);
    await node.call('CLUSTER', 'SETSLOT', 7, 'STABLE');
    await expectUntouched(old, before.old);
  }, 300_000);

  test('a replica that is down', async () => {
    const [primary, replica] = old.nodes;
    if (!primary || !replica) throw new Error('the sandbox has two nodes');
    await old.kill(replica);
    const failure = await (await stage.start('old', '8.0')).failure();
    expect(failure).toMatchObject({ type: 'Degraded' });
    expect(failure.message).toContain(replica.address);
    expect(failure.message).toContain('Nothing was touched');
    await using node = await old.connect(primary);
    expect(String(await node.call('INFO', 'server'))).toContain(`run_id:${before.old[0]?.runId ?? ''}`);
  }, 300_000);
});
