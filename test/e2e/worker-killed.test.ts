import { afterAll, beforeAll, expect, test } from 'vitest';
import type { OperationStatus, TimelineEntry } from '../../model/operation.js';
import { Sandbox } from '../../scripts/sandbox/cluster.js';
import { Dataset } from './stage/dataset.js';
import { expectCompleted, expectUnnoticed, readReport } from './stage/evidence.js';
import { expectWhole, readNodes } from './stage/nodes.js';
import { Stage } from '../../scripts/sandbox/stage.js';

// The worker is killed in the middle of things, again and again: each time the next one goes on where it stood.
let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open();
});
afterAll(() => stage[Symbol.asyncDispose]());

const begun = (timeline: readonly TimelineEntry[], text: RegExp): number =>
  timeline.filter((entry) => text.test(entry.text)).length;

/** Each is seen in the status or the timeline of the operation, never waited for by time. */
const moments: { when: string; seen: (status: OperationStatus, timeline: TimelineEntry[]) => boolean }[] = [
  { when: 'while shards are backed up', seen: (_, timeline) => begun(timeline, /^back up$/) > 0 },
  { when: 'while a replica saves', seen: (_, timeline) => begun(timeline, /^save$/) > 0 },
  { when: 'right after a swap began', seen: (_, timeline) => begun(timeline, /^start 8\.0\.6$/) > 0 },
  { when: 'while a primary is handed over', seen: (_, timeline) => begun(timeline, /^hand over to /) > 0 },
  { when: 'while the old primary is swapped', seen: (_, timeline) => begun(timeline, /^start 8\.0\.6$/) > 1 },
  { when: 'while a node is compared', seen: (_, timeline) => begun(timeline, /^verify$/) > 2 },
];

test('5.0.6 → 8.0 with a worker that is killed six times', async () => {
  await using cluster = await Sandbox.cluster({ release: '5.0.6' });
  const dataset = await Dataset.write(cluster, 3000);
  const before = await readNodes(cluster);
  await stage.deploy('orders', cluster, { policy: { canarySoak: '0s', soak: '0s' } });

  const operation = await stage.start('orders', '8.0');
  for (const { when, seen } of moments) {
    await operation.until(when, seen);
    await stage.endWorker('SIGKILL');
    await stage.startWorker();
  }
  const outcome = await operation.result();

  expectCompleted(outcome);
  await expectWhole(cluster, { release: '8.0.6', before });
  await dataset.expectSame(10_000);
  const report = await readReport(outcome);
  expectUnnoticed(report);
  expect(report.probe?.interruptions?.length).toBeGreaterThan(0);
  expect(await retriedActivities(operation.histories())).toBeGreaterThan(0);
}, 300_000);

/** Activities that a later attempt had to finish: the kills did hit something. */
async function retriedActivities(histories: Promise<string>): Promise<number> {
  return [...(await histories).matchAll(/"activityTaskStartedEventAttributes":\{[^}]*"attempt":(\d+)/g)].filter(
    ([, attempt]) => Number(attempt) > 1,
  ).length;
}
