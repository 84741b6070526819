import { expect, test } from 'vitest';
import type { TimelineEntry } from '../../model/operation.js';
import { Sandbox, until } from '../../scripts/sandbox/cluster.js';
import { cutOff, mend } from '../../scripts/sandbox/cut-off.js';
import { Stage } from '../../scripts/sandbox/stage.js';
import { Toxiproxy } from '../../scripts/sandbox/toxiproxy.js';
import { Dataset } from '../e2e/stage/dataset.js';
import { expectCompleted, readReport } from '../e2e/stage/evidence.js';
import { expectWhole, readNodes } from '../e2e/stage/nodes.js';

// A worker that is cut off from one side goes on with what it has of the other.
const policy = { canarySoak: '0s', soak: '0s' } as const;
const has = (text: RegExp) => (_: unknown, timeline: readonly TimelineEntry[]) =>
  timeline.some((entry) => text.test(entry.text));

test('from Temporal, but not from Redis: another takes over while the first is still at work', async () => {
  await using toxiproxy = await Toxiproxy.start();
  await using stage = await Stage.open({ quickRetries: true });
  await using cluster = await Sandbox.cluster({ release: '7.0', primaries: 1 });
  const dataset = await Dataset.write(cluster, 300);
  const before = await readNodes(cluster);
  await stage.deploy('orders', cluster, { policy: { ...policy, handover: 'fast' } });
  await stage.endWorker();
  const way = await toxiproxy.proxy('temporal', stage.address);
  await stage.startWorker({ temporal: way.address });

  const operation = await stage.start('orders', '8.0');
  await operation.until('a swap has begun', has(/^start 8\.0\.6$/));
  await way.cut();
  await stage.startWorker();
  await operation.until('a handover has begun', has(/^hand over to /));
  await way.mend();
  const outcome = await operation.result();

  expectCompleted(outcome);
  await expectWhole(cluster, { release: '8.0.6', before });
  await dataset.expectSame(10_000);
  expect((await readReport(outcome)).probe?.ledger).toMatchObject({ lost: 0 });
}, 1_200_000);

test('from Redis, but not from Temporal: it tries again until the nodes answer', async () => {
  await using stage = await Stage.open();
  await using cluster = await Sandbox.cluster({ release: '7.0', primaries: 1 });
  const dataset = await Dataset.write(cluster, 300);
  const before = await readNodes(cluster);
  await stage.deploy('orders', cluster, { policy });

  const operation = await stage.start('orders', '8.0');
  for (const moment of [/^start 8\.0\.6$/, /^hand over to /]) {
    await operation.until(`${String(moment)} has begun`, has(moment));
    await cutOff(stage.faults.folder, cluster.nodes.map(({ port }) => port)); // prettier-ignore
    await until('an activity was tried in vain', async () => (await triedAgain(stage)) > 0, 60_000);
    await mend(stage.faults.folder);
  }
  const outcome = await operation.result();

  expectCompleted(outcome);
  await expectWhole(cluster, { release: '8.0.6', before });
  await dataset.expectSame(10_000);
  expect((await readReport(outcome)).probe?.ledger).toMatchObject({ lost: 0 });
}, 1_200_000);

/** Activities that wait for another attempt, since the nodes could not be reached. */
async function triedAgain({ client }: Stage): Promise<number> {
  let count = 0;
  for await (const { workflowId, runId } of client.workflow.list({ query: 'ExecutionStatus="Running"' })) {
    const { raw } = await client.workflow.getHandle(workflowId, runId).describe();
    count += (raw.pendingActivities ?? []).filter(
      ({ lastFailure }) => lastFailure?.applicationFailureInfo?.type === 'Unreachable',
    ).length;
  }
  return count;
}
