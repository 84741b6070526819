/** A user that may do almost everything: what it lacks shows in the middle of a restore, when half of the keys are written. */
import { expect, test } from 'vitest';
import { connect } from '../../../redis/connection.js';
import { missingForLoading } from '../../../redis/restore/rights.js';
import { Sandbox } from '../../../scripts/sandbox/cluster.js';
import { documentedUser } from '../documented-acl.js';

const password = 'swordfish-of-rollout';
const documented = documentedUser(password, 'acl-load');
/** Seen when they are first used: what a topology is read with before that, and libraries, which not every backup has. */
const seenElsewhere = ['ping', 'info', 'cluster|nodes', 'cluster|info', 'config|get', 'acl|dryrun', 'function|load'];

test('the documented user lacks nothing, and each right that it lacks is named, without anything being done', async () => {
  await using server = await Sandbox.servers(1, { release: '7.0' });
  await using admin = await server.connect();
  const missing = async (rules: string): Promise<string[]> => {
    await admin.call('ACL', 'SETUSER', 'rollout', 'reset', ...rules.split(' ').slice(2));
    await using node = await connect({ ...server.endpoint(), username: 'rollout', password });
    return await missingForLoading(node, '7.0.15', 'rollout');
  };
  expect(await missing(documented)).toEqual([]);
  expect(await missing(documented.replace(' ~* ', ' ~cart:* '))).toEqual(['~*']);
  const rights = documented.split(' ').flatMap((word) => (/^\+/.test(word) ? [word.slice(1)] : []));
  expect(rights.length).toBeGreaterThan(30);
  for (const right of rights) {
    if (seenElsewhere.includes(right)) continue;
    const named = right === 'xgroup' ? 'XGROUP CREATE' : right.toUpperCase().replace('|', ' ');
    expect(await missing(`${documented} `.replace(` +${right} `, ' ').trimEnd()), right).toEqual([named]);
  }
  expect(await admin.call('DBSIZE')).toBe(0);
});

test.each(['6.0', '6.2'])(
  '%s: what it has no word for is left out; without a user nothing is asked',
  async (release) => {
    const line = documented.replace(/ \+(acl\|dryrun|pexpiretime|function\|load)/g, '');
    const rules = release === '6.0' ? line.replace(' resetchannels', '') : line;
    await using server = await Sandbox.servers(1, { release, configuration: [rules] });
    await using node = await connect({ ...server.endpoint(), username: 'rollout', password });
    expect(await missingForLoading(node, release, 'rollout')).toEqual([]);
    await using admin = await server.connect();
    await admin.call('ACL', 'SETUSER', 'rollout', '-restore', '-wait');
    expect(await missingForLoading(node, release, 'rollout')).toEqual(['WAIT', 'RESTORE']);
    expect(await missingForLoading(node, '5.0.6', 'default')).toEqual([]);
  },
);
