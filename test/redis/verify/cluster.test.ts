import { expect, test } from 'vitest';
import { Sandbox } from '../../../scripts/sandbox/cluster.js';
import { verifyReplica } from '../../../redis/verify/verify-replica.js';
import { send } from './pair.js';

// In cluster mode a replica answers MOVED to everything before READONLY.
test.each(['5.0.6', '8.0'])('a replica of a %s cluster is read where it is', { timeout: 120_000 }, async (release) => {
  await using cluster = await Sandbox.cluster({ release, primaries: 3, replicasEach: 1 });
  const [first, , , copy] = cluster.nodes;
  if (!first || !copy) throw new Error('six nodes expected');
  // {a} is slot 15495 (third primary), {b} 3300 (first).
  await send(cluster.endpoint(first), [
    ...Array.from({ length: 3000 }, (_, i) => ['SET', `{b}:${i}`, i, 'EX', 1000] as const),
    ...Array.from({ length: 3000 }, (_, i) => ['HSET', '{b}:hash', `f${i}`, i] as const),
  ]);
  const input = { shard: 'shard-1', mode: 'all', ttlToleranceMs: 1000 } as const;
  const ends = { primary: cluster.endpoint(first), replica: cluster.endpoint(copy) };
  expect(await verifyReplica({ ...input, ...ends })).toMatchObject({ different: 0, keys: 3001, unsettled: 0 });
});
