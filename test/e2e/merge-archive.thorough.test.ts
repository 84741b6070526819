// Workers that die while they make larger segments of small ones.
import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { archivedStream } from '../../activities/archived-stream.js';
import { ArchiveStore } from '../../integrations/archive-store.js';
import { BackupStore } from '../../integrations/backup-store.js';
import { loadDeployment } from '../../integrations/deployment-files.js';
import { stretchesOf } from '../../model/archive.js';
import { archiveWorkflowId, TASK_QUEUE } from '../../model/names.js';
import { Sandbox, until } from '../../scripts/sandbox/cluster.js';
import { S3Server } from '../../scripts/sandbox/s3-server.js';
import type { Stage } from '../../scripts/sandbox/stage.js';
import { inBucket, openBackupStage } from './stage/backups.js';

const replid = 'a'.repeat(40);

let s3: S3Server;
let stage: Stage;
beforeAll(async () => {
  s3 = await S3Server.start();
});
afterAll(() => s3[Symbol.asyncDispose]());
beforeEach(async () => {
  stage = await openBackupStage(s3);
});
afterEach(async () => {
  await stage[Symbol.asyncDispose]();
  vi.unstubAllEnvs();
});

test('workers that are killed before, while and after they make segments larger: each byte is there once, and they are fewer', async () => {
  await using cluster = await Sandbox.cluster({ release: '7.0', primaries: 1 });
  const prefix = randomBytes(4).toString('hex');
  await stage.deploy('merged', cluster, { backup: inBucket(stage, s3, { prefix }) });
  const deployment = await loadDeployment('merged', stage.deployments);
  const archive = await ArchiveStore.open(deployment);
  const keys = await (await BackupStore.open(deployment)).keys();
  const written: Buffer[] = [];
  const hour = 3_600_000;
  const began = Math.floor(Date.now() / hour) * hour - 5 * hour;
  for (let n = 0, first = 1; n < 40; n++) {
    const bytes = randomBytes(500 + n);
    const [end, from, to] = [first + bytes.length - 1, began + n * 240_000, began + (n + 1) * 240_000 - 1];
    const segment = { slots: 'gone', line: 'line-1', first, end, from, to, replid, release: '7.0.15' };
    const header = { format: 1 as const, first, replid, release: '7.0.15', node: 'x', role: 'replica' as const, aligned: true }; // prettier-ignore
    await archive.put(segment, { header, records: [{ at: from, first, bytes }], keys });
    written.push(bytes);
    first = end + 1;
  }
  const expectEach = async (): Promise<number> => {
    const [stretch, ...others] = stretchesOf(await archive.segments('gone'));
    expect(others).toEqual([]);
    const found: Buffer[] = [];
    for await (const { bytes } of archivedStream({ archive, keys }, stretch?.segments ?? [], { after: 0 }))
      found.push(bytes);
    expect(Buffer.concat(found).equals(Buffer.concat(written))).toBe(true);
    return (await archive.segments('gone')).length;
  };
  await stage.faults.draw(
    { activity: 'mergeArchive', when: 'before', kind: 'kill' },
    ...[3, 9].map((at) => ({ activity: 'mergeArchive', when: 'during', kind: 'kill', at }) as const),
    { activity: 'mergeArchive', when: 'after', kind: 'kill' },
  );
  stage.keepWorker();
  const running = await stage.client.workflow.start('archive', {
    ...{ workflowId: archiveWorkflowId('merged'), taskQueue: TASK_QUEUE, args: [{ deployment: 'merged' }] },
  });
  // Readers all the while.
  await until('they are made into three', async () => (await expectEach()) === 3, 240_000);
  await until('every worker has died that was to', async () => (await stage.faults.unfired()).length === 0, 60_000);
  expect(await expectEach()).toBe(3);
  await running.cancel();
  await running.result().catch(() => undefined);
}, 800_000);
