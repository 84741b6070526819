/** Of several keys one is not there: to a member that is importing their slot that is a reason to refuse the command. */
import { expect, test } from 'vitest';
import { followTools } from '../../../redis/follow/copying.js';
import type { FollowState } from '../../../redis/follow/state.js';
import { readInfo } from '../../../redis/node.js';
import { until } from '../../../scripts/sandbox/cluster.js';
import { send } from '../verify/pair.js';
import { differences } from './followed.js';
import { Shard } from './shard.js';

test.each([
  // What stores geo results: copied always.
  ['8.0.6', '7.0.15', 3],
  ['8.0.6', '5.0.6', 3],
  // COPY: always.
  ['valkey-9.1.2', '7.2.4', 1],
])('%s → %s: commands about keys of which some are missing', async (source, target, recopied) => {
  await using shard = await Shard.start(source, target);
  const primary = shard.cluster.endpoint();
  shard.follower.start();
  await send(primary, [
    ['SET', '{t}a', 1],
    ['SET', '{t}b', 1],
    ['SADD', '{t}s', 1, 2, 3],
    ['ZADD', '{t}z', 1, 'a', 2, 'b'],
    ['SET', '{t}bits', 'abc'],
    ['PFADD', '{t}hll', 1, 2],
    ['RPUSH', '{t}list', 1, 2],
  ]);
  await shard.follower.drained();
  await send(primary, [
    ['DEL', '{t}a', '{t}missing'],
    ['UNLINK', '{t}b', '{t}missing', '{t}gone'],
    ['MSET', '{t}new1', 1, '{t}new2', 2],
    ['SUNIONSTORE', '{t}union', '{t}s', '{t}missing'],
    ['SDIFFSTORE', '{t}diff', '{t}s', '{t}missing'],
    ['ZUNIONSTORE', '{t}zunion', 2, '{t}z', '{t}missing'],
    ['BITOP', 'OR', '{t}op', '{t}bits', '{t}missing'],
    ['PFMERGE', '{t}merged', '{t}hll', '{t}missing'],
    ['RENAME', '{t}new1', '{t}renamed'],
    ['SMOVE', '{t}s', '{t}moved', 3],
    ['RPOPLPUSH', '{t}list', '{t}other'],
    ['GEOADD', '{t}geo', 13.36, 38.11, 'Palermo'],
    ['GEOSEARCHSTORE', '{t}near', '{t}geo', 'FROMMEMBER', 'Palermo', 'BYRADIUS', 1, 'km'],
    ['COPY', '{t}z', '{t}copy'],
    ['SORT', '{t}list', 'STORE', '{t}sorted'],
    ['MSETNX', '{t}nx1', 1, '{t}nx2', 2],
    ['RENAMENX', '{t}nx1', '{t}nx3'],
    ['SINTERSTORE', '{t}union', '{t}s', '{t}missing'],
    ['SDIFFSTORE', '{t}diff', '{t}missing', '{t}s'],
    ['SUNIONSTORE', '{t}grown', '{t}grown', '{t}s'],
    ['ZUNIONSTORE', '{t}weighed', 3, '{t}missing', '{t}z', '{t}s', 'WEIGHTS', 9, 2, 3, 'AGGREGATE', 'MAX'],
    ['ZUNIONSTORE', '{t}rising', 2, '{t}rising', '{t}z', 'WEIGHTS', 2, 3],
    ['ZINTERSTORE', '{t}zunion', 2, '{t}z', '{t}missing'],
    ['ZINTERSTORE', '{t}common', 2, '{t}z', '{t}z', 'WEIGHTS', 2, 3],
    ['BITOP', 'XOR', '{t}mixed', '{t}mixed', '{t}bits'],
    ['BITOP', 'AND', '{t}nothing', '{t}missing', '{t}gone'],
    ['BITOP', 'NOT', '{t}not', '{t}bits'],
    ['PFMERGE', '{t}empty', '{t}missing'],
    ['SORT', '{t}missing', 'STORE', '{t}sorted'],
    ['GEORADIUS', '{t}geo', 13, 38, 500, 'km', 'STORE', '{t}around'],
    ['GEORADIUSBYMEMBER', '{t}geo', 'Palermo', 1, 'km', 'STOREDIST', '{t}far'],
    ['RPUSH', '{t}turned', 1, 2, 3],
    ['RPOPLPUSH', '{t}turned', '{t}turned'],
    ['LMOVE', '{t}turned', '{t}right', 'LEFT', 'RIGHT'],
    ['SMOVE', '{t}s', '{t}s', 1],
    ['SMOVE', '{t}s', '{t}moved', 2],
    ['ZRANGESTORE', '{t}ranged', '{t}z', 0, -1],
    ['ZDIFFSTORE', '{t}zdiff', 2, '{t}z', '{t}missing'],
    ['MULTI'],
    ['SET', '{t}first', 1],
    ['RENAME', '{t}first', '{t}second'],
    ['DEL', '{t}second', '{t}third', '{t}op'],
    ['EXEC'],
    ['DEL', ...Array.from({ length: 9000 }, (_, i) => `{t}many:${i}`), '{t}bits'],
  ]);
  await shard.follower.drained(15_000);
  expect(await differences(primary, shard.standby, { asking: true })).toEqual([]);
  // All others were done as they were, and not copied for having failed.
  expect(await told(shard)).toMatchObject({ recopied, copies: 0, notRepresentable: [] });
});

test.each([
  ['8.0.6', '7.2.4'],
  ['8.0.6', '5.0.6'],
])('%s → %s: keys are renamed that the standby can’t hold, or lacks', async (source, target) => {
  await using shard = await Shard.start(source, target);
  const primary = shard.cluster.endpoint();
  shard.follower.start();
  await send(primary, [
    ['SET', '{t}a', 1],
    ['SET', '{t}b', 1],
    ['VADD', '{t}vectors', 'VALUES', 2, 1, 1, 'm'],
  ]);
  await shard.follower.drained();
  await using standby = await shard.old.connect();
  await standby.pipeline([['ASKING'], ['DEL', '{t}a']]);
  await send(primary, [
    ['RENAME', '{t}a', '{t}c'],
    ['RENAME', '{t}vectors', '{t}b'],
    ['SET', '{t}last', 1],
  ]);
  await shard.follower.drained(15_000);
  const replies = await standby.pipeline(['c', 'b', 'last'].flatMap((it) => [['ASKING'], ['GET', `{t}${it}`]]));
  expect([replies[1], replies[3], replies[5]]).toEqual(['1', null, '1']);
});

test('a command that the standby says for ever it doesn’t serve: what it is about is copied', async () => {
  await using shard = await Shard.start('8.0.6', '5.0.6', {
    // EXISTS, of which nobody takes care since no primary propagates it, in the place of each APPEND.
    tools: {
      ...followTools,
      rewriterFor: (input) => {
        const rewriter = followTools.rewriterFor(input);
        return {
          ...rewriter,
          rewrite: (args) =>
            args[0]?.toString() === 'APPEND'
              ? {
                  kind: 'rewritten',
                  commands: [[Buffer.from('EXISTS'), ...args.slice(1, 2), Buffer.from('{t}missing')]],
                }
              : rewriter.rewrite(args),
        };
      },
    },
  });
  const primary = shard.cluster.endpoint();
  shard.follower.start();
  await send(primary, [
    ['SET', '{t}a', 'a'],
    ['APPEND', '{t}a', 'b'],
    ['SET', '{t}last', 1],
  ]);
  await shard.follower.drained();
  expect(await differences(primary, shard.standby, { asking: true })).toEqual([]);
  expect(await told(shard)).toMatchObject({ recopied: 1, notRepresentable: [] });
});

/** Its state with all that it has done so far, of which it tells a few times a second only: one that has a later write. */
async function told({ cluster, follower }: Shard): Promise<FollowState | undefined> {
  await using primary = await cluster.connect();
  await primary.call('SET', '{t}told', 1);
  const offset = Number((await readInfo(primary, 'replication'))['master_repl_offset']);
  await until('it has told', () => (follower.state?.offset ?? 0) >= offset);
  return follower.state;
}
