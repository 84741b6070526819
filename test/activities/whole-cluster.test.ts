// What nobody would have noticed: a shard that is not measured for the whole upgrade, since it was away for a moment.
import { expect, test } from 'vitest';
import { wholeCluster } from '../../activities/probe.js';
import { RolloutError } from '../../model/failures.js';
import { Sandbox } from '../../scripts/sandbox/cluster.js';

test('a primary that can’t be read: the probe doesn’t begin, and is tried again', async () => {
  await using cluster = await Sandbox.cluster({ release: '7.2', replicasEach: 0 });
  const [first, , third] = cluster.nodes;
  if (!first || !third) throw new Error('three primaries expected');
  const reading = { endpoint: cluster.endpoint(), deployment: { seeds: [first.address] }, folder: cluster.root };
  expect(await wholeCluster(reading)).toHaveLength(3);
  await cluster.kill(third);
  const failure: unknown = await wholeCluster(reading).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(RolloutError);
  expect(failure).toMatchObject({ type: 'Unreachable', retryable: true });
  expect((failure as Error).message).toMatch(/found 109\d\d of 16384 slots/);
});
