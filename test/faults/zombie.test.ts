import { afterAll, beforeAll, expect, test } from 'vitest';
import { Sandbox, until } from '../../scripts/sandbox/cluster.js';
import { Stage } from '../../scripts/sandbox/stage.js';
import type { WorkerFault } from '../../scripts/sandbox/worker-faults.js';
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
  600_000,
);
