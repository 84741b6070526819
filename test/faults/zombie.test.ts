import { afterAll, beforeAll, expect, test } from 'vitest';
import { operationId, rollingId, shardId } from '../../model/names.js';
import { Sandbox, until } from '../../scripts/sandbox/cluster.js';
import { Stage } from '../../scripts/sandbox/stage.js';
import type { WorkerFault } from '../../scripts/sandbox/worker-faults.js';
import { inPlaceOfServer } from '../e2e/stage/in-place-of-server.js';
import { Dataset } from '../e2e/stage/dataset.js';
import { expectCompleted, readReport } from '../e2e/stage/evidence.js';
import { expectWhole, readNodes } from '../e2e/stage/nodes.js';

// A worker freezes in the worst moment: the fence was asked, the command is on its way. Another takes over and comes to
// its end; then the first one wakes and goes on where it stood. Nothing of what it does may arrive.
let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open({ quickRetries: true });
});
afterAll(() => stage[Symbol.asyncDispose]());

const acts: Pick<WorkerFault, 'activity' | 'at'>[] = [
  { activity: 'prepareShard', at: 'CONFIG SET repl-backlog-size' },
  { activity: 'isolate', at: 'CONFIG SET cluster-replica-no-failover' },
  { activity: 'snapshot', at: 'CONFIG SET save' },
  { activity: 'swapVersion', at: 'SHUTDOWN' },
  { activity: 'release', at: 'CONFIG SET cluster-replica-no-failover' },
  { activity: 'handOver', at: 'CLUSTER FAILOVER' },
  { activity: 'putBackShard', at: 'CONFIG SET repl-backlog-size' },
];
/** Too small for any upgrade: it is enlarged, and put back. */
const smallBacklog = ['repl-backlog-size 16kb'];
/** What looks only, and what writes beside the nodes: it may come to its end, and must change no result by that. */
const others: Pick<WorkerFault, 'activity' | 'at'>[] = [
  { activity: 'backUpShard', at: 'PSYNC' },
  { activity: 'readLedger', at: 'HGETALL' },
  { activity: 'writeReport', at: 'writeFile' },
];

test.each(['fast', 'safe'] as const)(
  '7.0 → 8.0 with attempts that wake when others have done it, %s',
  async (handover) => {
    await using cluster = await Sandbox.cluster({ release: '7.0', primaries: 1, configuration: smallBacklog });
    const dataset = await Dataset.write(cluster, 300);
    const before = await readNodes(cluster);
    const name = `orders-${handover}`;
    await stage.deploy(name, cluster, { policy: { canarySoak: '0s', soak: '0s', handover } });
    const hangs = handover === 'fast' ? [...acts, ...others] : acts.filter(({ activity }) => activity === 'handOver');
    await stage.faults.draw(...hangs.map((it): WorkerFault => ({ ...it, when: 'during', kind: 'hang' })));
    stage.keepWorker();

    const operation = await stage.start(name, '8.0');
    const outcome = await operation.result();

    expectCompleted(outcome);
    expect(await stage.faults.unfired()).toEqual([]);
    const hung = (await stage.faults.fired()).length;
    await until('everyone who hung has come to an end', async () => (await stage.faults.awakenings()).length === hung);
    for (const { activity, ended, message } of await stage.faults.awakenings())
      if (acts.some((it) => it.activity === activity))
        expect({ activity, ended, message }).not.toMatchObject({ ended: 'done' });
    await expectWhole(cluster, { release: '8.0.6', before });
    await dataset.expectSame(10_000);
    expect((await readReport(outcome)).probe?.ledger).toMatchObject({ lost: 0 });
  },
  1_200_000,
);

test('a replica is taken back, and later brought back, beside attempts that wake when others have done it', async () => {
  await using cluster = await Sandbox.cluster({ release: '7.0', primaries: 1 });
  const dataset = await Dataset.write(cluster, 300);
  const before = await readNodes(cluster);
  const policy = { canarySoak: '0s', soak: '0s' };
  const program = await inPlaceOfServer(stage, 'redis-server-with-settings', (server) => [
    `exec "${server}" "$@" --maxmemory-policy allkeys-lru`,
  ]);
  await stage.deploy('back', cluster, { policy, platform: { kind: 'process', servers: { '8.0.6': program } } });
  const begun = (await stage.faults.awakenings()).length;
  await stage.faults.draw({ activity: 'revert', when: 'during', at: 'SHUTDOWN', kind: 'hang' });
  stage.keepWorker();
  expect(await (await stage.start('back', '8.0')).failure()).toMatchObject({
    type: 'Different',
    message: expect.stringContaining('is back on 7.0.15') as string,
  });
  await expectWhole(cluster, { release: '7.0.15', before });

  // Given up in Temporal with a node in hand, which then dies.
  await stage.deploy('back', cluster, { policy });
  await stage.faults.draw({ activity: 'swapVersion', when: 'before', kind: 'hold' });
  await stage.start('back', '8.0');
  await stage.faults.held();
  const root = operationId('back');
  for (const id of [root, rollingId(root), shardId(root, 'shard-1')])
    await stage.client.workflow.getHandle(id).terminate('its operator gave up');
  const [, replica] = cluster.nodes;
  if (!replica) throw new Error('the sandbox has two nodes');
  await cluster.kill(replica);
  // Right before it asks for the node's lock, which it needs for whatever it does there.
  await stage.faults.draw({ activity: 'bringBack', when: 'during', at: '/lock-', kind: 'hang' });
  const outcome = await (await stage.start('back', '8.0')).result();

  expectCompleted(outcome);
  expect(await stage.faults.unfired()).toEqual([]);
  await until('both have come to an end', async () => (await stage.faults.awakenings()).length === begun + 2);
  for (const { activity, ended } of (await stage.faults.awakenings()).slice(begun))
    expect({ activity, ended }).not.toMatchObject({ ended: 'done' });
  await expectWhole(cluster, { release: '8.0.6', before });
  await dataset.expectSame(10_000);
}, 1_200_000);
