/** A value too long for one batch is copied again while another database is selected in the stream. */
import { expect, test } from 'vitest';
import { until } from '../../../scripts/sandbox/cluster.js';
import { send } from '../verify/pair.js';
import { differences } from './followed.js';
import { TwoServers } from './two-servers.js';

test.each([
  ['8.0.6', '5.0.6'],
  ['valkey-9.1.2', '7.2.4'],
])('%s → %s: all of it goes into its own', async (source, target) => {
  await using pair = await TwoServers.start(source, target);
  const { follower, primary, standby } = pair;
  follower.start();
  await primary.call('SELECT', 3);
  for (let at = 0; at < 20_000; at += 1000)
    await primary.call('RPUSH', 'list', ...Array.from({ length: 1000 }, (_, n) => at + n));
  await follower.drained();
  await standby.pipeline([
    ['SELECT', 3],
    ['DEL', 'list'],
  ]);
  // Of a key that isn't there it fails, and the key is copied.
  await send(pair.a.endpoint(), [
    ['SELECT', 3],
    ['PEXPIRE', 'list', 1_000_000],
    ['SELECT', 0],
    ['SET', 'last', 1],
  ]);
  await follower.drained();
  for (const db of [0, 3]) expect(await differences(pair.a.endpoint(), pair.b.endpoint(), { db })).toEqual([]);
  await until('it is told', () => follower.state?.recopied === 1);
});
