// A node answers CLUSTERDOWN for a moment while the slots of its shard change hands, and the whole operation ends with it.
import { expect, test } from 'vitest';
import type { RolloutError } from '../../../model/failures.js';
import type { NodeConnection } from '../../../redis/connection.js';
import { ErrorReply } from '../../../redis/resp.js';
import { refusal } from '../../../redis/verify/pipe.js';
import type { VerifyProgress } from '../../../redis/verify/progress.js';
import { verifyReplica, type VerifyInput } from '../../../redis/verify/verify-replica.js';
import { Sandbox, until } from '../../../scripts/sandbox/cluster.js';
import { Pair, send } from './pair.js';

const KEYS = 60_000;
const sets = Array.from({ length: KEYS }, (_, i) => ['SET', `key:${i}`, `value ${i}`] as const);

/** Compares, and disturbs it once it has come some way: how it ends, and how far it was. */
async function disturbed(
  compare: (input: Pick<VerifyInput, 'onProgress'>) => Promise<unknown>,
  disturb: () => void,
): Promise<{ failure: RolloutError; progress: VerifyProgress }> {
  const came: VerifyProgress[] = [];
  const failure = await compare({
    onProgress: (progress) => {
      came.push(progress);
      if (progress.keys > 0 && came.filter(({ keys }) => keys > 0).length === 1) disturb();
    },
  }).then(
    () => Promise.reject(new Error('the comparison succeeded')),
    (error: unknown) => error as RolloutError,
  );
  const progress = came.at(-1);
  if (!progress) throw new Error('it had not come any way');
  return { failure, progress };
}

const state = async (node: NodeConnection): Promise<string> => String(await node.call('CLUSTER', 'INFO'));

test.each(['5.0.6', '8.0.6'])(
  '%s: CLUSTERDOWN is over in a moment, and the comparison goes on',
  async (release) => {
    await using cluster = await Sandbox.cluster({ release, primaries: 1 });
    const [first, copy] = cluster.nodes;
    if (!first || !copy) throw new Error('two nodes expected');
    await send(cluster.endpoint(first), sets);
    await using primary = await cluster.connect(first);
    const ends = { primary: cluster.endpoint(first), replica: cluster.endpoint(copy) };
    const compare = (news: Partial<VerifyInput>) =>
      verifyReplica({ shard: 'shard-1', mode: 'all', ttlToleranceMs: 1000, ...ends, ...news });
    const { failure, progress } = await disturbed(compare, () => void primary.call('CLUSTER', 'DELSLOTS', 0));
    expect(failure).toMatchObject({ type: 'RolesUnsettled', retryable: true });
    expect(failure.message).toContain('CLUSTERDOWN');

    await primary.call('CLUSTER', 'ADDSLOTS', 0);
    await until('it serves again', async () => (await state(primary)).includes('cluster_state:ok'));
    await using replica = await cluster.connect(copy);
    await until('its replica does', async () => (await state(replica)).includes('cluster_state:ok'));
    expect(await compare({ resumeFrom: progress })).toMatchObject({ different: 0, keys: KEYS });
  },
  180_000,
);

test('MASTERDOWN: a replica without its link that says nothing stale is asked again later', async () => {
  await using pair = await Pair.start('8.0.6', '8.0.6', ['replica-serve-stale-data no']);
  await pair.write(sets);
  await pair.synced();
  const [master, port] = ['127.0.0.1', pair.endpoints.primary.port];
  const { failure, progress } = await disturbed(
    (input) => pair.verify(input),
    // Nobody listens there.
    () => void pair.replica.call('REPLICAOF', master, 1),
  );
  expect(failure).toMatchObject({ type: 'RolesUnsettled' });
  expect(failure.message).toContain('MASTERDOWN');
  await pair.replica.call('REPLICAOF', master, port);
  await pair.linked();
  expect(await pair.verify({ resumeFrom: progress })).toMatchObject({ different: 0, keys: KEYS });
}, 120_000);

test('what passes and what does not: slots that are served by another are no reason to ask again', () => {
  const typeFor = (reply: string): string => refusal('10.0.1.1:6379', 'TYPE', new ErrorReply(reply)).type;
  for (const passing of ['LOADING Redis is loading the dataset in memory', 'TRYAGAIN Multiple keys request'])
    expect(typeFor(passing)).toBe('RolesUnsettled');
  for (const lasting of ['MOVED 1 10.0.1.2:6379', 'ASK 1 10.0.1.2:6379', 'ERR whatever'])
    expect(typeFor(lasting)).toBe('NotCaughtUp');
});
