/** Of several keys one is not there: to a member that is importing their slot that is a reason to refuse the command. */
import { expect, test } from 'vitest';
import { send } from '../verify/pair.js';
import { differences } from './followed.js';
import { Shard } from './shard.js';

test.each([
  ['8.0.6', '7.0.15'],
  ['8.0.6', '5.0.6'],
  ['valkey-9.1.2', '7.2.4'],
])('%s → %s: commands about keys of which some are missing', async (source, target) => {
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
  // Done as they were, and not copied for having failed.
  expect(shard.follower.state).toMatchObject({ recopied: 0, copies: 0, notRepresentable: [] });
});
