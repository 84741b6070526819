// After the last node was upgraded and was written to, it goes back without a standby: to the backup, key for key, and what
// was written since is kept aside; though the worker is killed wherever a shard is restored. With a key, nothing of it is ever
// readable on the worker's machine, outside of the nodes' own folders.
import { createReadStream } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { RECENT } from '../../activities/observe.js';
import { BackupStore } from '../../integrations/backup-store.js';
import { decidePrune, openPruneStores } from '../../integrations/plan-prune.js';
import { loadDeployment } from '../../integrations/deployment-files.js';
import type { ProbeRecent, RestoreRecord } from '../../model/evidence.js';
import { readEntries } from '../../redis/rdb/entries.js';
import { keySlot } from '../../redis/probe/slot.js';
import { readTopology } from '../../redis/topology.js';
import { Sandbox, until } from '../../scripts/sandbox/cluster.js';
import { S3Server } from '../../scripts/sandbox/s3-server.js';
import type { Stage } from '../../scripts/sandbox/stage.js';
import type { WorkerFault } from '../../scripts/sandbox/worker-faults.js';
import { inBucket, openBackupStage } from './stage/backups.js';
import { Dataset } from './stage/dataset.js';
import { readReport } from './stage/evidence.js';
import { expectNoOthers, expectWhole, readNodes } from './stage/nodes.js';
import { thorough } from '../thorough.js';

let s3: S3Server;
let stage: Stage;
beforeAll(async () => {
  s3 = await S3Server.start();
  stage = await openBackupStage(s3);
});
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
  await s3[Symbol.asyncDispose]();
  vi.unstubAllEnvs();
});

const kill = (when: WorkerFault['when'], at?: string): WorkerFault => ({
  ...{ activity: 'restoreShard', kind: 'kill', when },
  ...(at === undefined ? {} : { at }),
});
/** Before the primary is told to end, before the backup is started, and when all is done. */
const kills = [kill('during', 'SHUTDOWN'), kill('during', 'spawn'), kill('after')];
/** Further: before what it had is aside, before the backup is there, before it may be written to. */
const more = [
  ...[kill('before'), kill('during', 'CONFIG SET'), kill('during', 'symlink')],
  ...[kill('during', 'copyFile'), kill('during', 'min-replicas-to-write')],
];

// With an append-only file, to which every server gives precedence over the backup.
test.each([
  { from: '5.0.6', to: '8.0.6', configuration: ['appendonly yes'], faults: kills, kept: 'sealed in a bucket' },
  ...(thorough
    ? [{ from: '7.0.15', to: '8.0.6', configuration: [], faults: [...more, ...kills], kept: 'on this machine' }]
    : []),
])(
  '$from → $to, and back to the backup of before, $kept',
  async ({ from, to, configuration, faults, kept }) => {
    const sealed = kept === 'sealed in a bucket';
    await using cluster = await Sandbox.cluster({ release: from, configuration });
    const dataset = await Dataset.write(cluster, 300);
    await put(cluster, MARK, MARK);
    const before = await readNodes(cluster);
    const name = `restored-from-${from}`.replaceAll('.', '-');
    await stage.deploy(name, cluster, {
      ...(sealed ? { backup: inBucket(stage, s3) } : {}),
      policy: {
        ...{ fallback: 'backup', soak: '1h', canarySoak: '0s', parallelShards: 3 },
        roles: { engineering: ['ana'], operations: ['ben'] },
      },
    });
    const upgrade = await stage.start(name, to);
    await upgrade.until('it soaks', ({ phase }) => phase === 'soaking', 300_000);
    for (const key of keys) await put(cluster, key, 'after the backup');
    expect(await readableIn(stage.root)).toBe(!sealed);
    if (sealed) await expectSealed(name, to);

    await upgrade.tell('fallback', { by: 'ana', reason: 'it corrupts carts' });
    const refused = await upgrade.failure();
    expect(refused.message).toMatch(
      /shard-1 is served by .* would lose every write after 20.* of the replication stream/,
    );
    expect(refused.message).toContain(`rollout fallback ${name} --restore --reason "…"`);
    expect(new Set((await readNodes(cluster)).map(({ release }) => release))).toEqual(new Set([to]));

    await stage.faults.draw(...faults);
    stage.keepWorker(2);
    const back = await stage.startFallback(name, { reason: 'it corrupts carts', restore: true, startedBy: 'ana' });
    const { status } = await back.waits('approval', 'restore', 300_000);
    expect(status.approvals.at(-1)?.question).toMatch(/shard-3, served by .* on 8\.0\.6: from the backup of 20/);
    expect(new Set((await readNodes(cluster)).map(({ release }) => release))).toEqual(new Set([to]));
    // What this operation's own clients write until then is given up, too.
    await until('the probe writes', async () => {
      const { recent } = JSON.parse(await readFile(join(status.artefacts, RECENT), 'utf8')) as {
        recent: ProbeRecent[];
      };
      return recent.length > 0 && recent.every(({ operations, failed }) => operations > failed + 20);
    });
    expect(await back.tell('approve', { by: 'ben' })).toHaveProperty('done');
    await back.until('it has ended', ({ result }) => result !== undefined, 300_000);
    const outcome = await back.result();

    expect(outcome.result).toBe('completed');
    expect(await stage.faults.unfired()).toEqual([]);
    await expectWhole(cluster, { release: from, before });
    await expectNoOthers(cluster);
    await dataset.expectSame(10_000);
    expect(await readableIn(stage.root)).toBe(!sealed);
    const report = await readReport(outcome);
    expect(report.incidents).toMatchObject([{ by: 'ana', from: to, to: from, class: 'restore-only' }]);
    for (const { way, nodes, lossWindow } of report.incidents?.[0]?.shards ?? []) {
      expect({ way, nodes }).toEqual({ way: 'restored', nodes: 2 });
      expect(lossWindow?.streamBytes).toBeGreaterThan(0);
    }
    expect(report.verify.reduce((sum, { different }) => sum + different, 0)).toBe(0);
    expect(report.probe?.ledger).toMatchObject({ lost: 0 });
    expect(report.probe?.ledger?.givenUp).toBeGreaterThan(0);
    expect(report.restores).toHaveLength(3);
    for (const { verified } of report.restores ?? []) {
      expect(verified).toMatchObject({ different: 0 });
      expect(verified.compared + verified.expired).toBe(verified.keys);
    }
    expect(outcome.statement).toContain('the only copy of it is kept aside');
    expect((await later(report.restores ?? [])).sort()).toEqual(keys.slice().sort());
    for (const { address } of cluster.nodes)
      for (const key of keys) expect(await cluster.ask(address, 'CLUSTER', 'COUNTKEYSINSLOT', keySlot(key))).toBe(0);
  },
  1_800_000,
);

/** Of slots that nothing else is written to. */
const keys = Array.from({ length: 30 }, (_, i) => `later-${i}`);

async function put(cluster: Sandbox, key: string, value: string): Promise<void> {
  const seeds = cluster.nodes.map(({ address }) => address);
  const { shards } = await readTopology(cluster.endpoint(), seeds);
  const owner = shards.find(({ slots }) => slots.some(([a, b]) => a <= keySlot(key) && keySlot(key) <= b));
  await cluster.ask(owner?.primary.address, 'SET', key, value);
}

/** What a snapshot has as it is: a text without repetitions is not compressed. */
const MARK = 'legible-qwzjxkvbpyfm';

/** Is it to be read in any file below the folder? */
async function readableIn(folder: string): Promise<boolean> {
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true }))
    if (entry.isFile() && (await readFile(join(entry.parentPath, entry.name))).includes(MARK)) return true;
  return false;
}

/** The upgrade's own is a backup as any other, says what it was taken before, and stays while it may be needed. */
async function expectSealed(name: string, to: string): Promise<void> {
  const deployment = await loadDeployment(name, stage.deployments);
  const store = await BackupStore.open(deployment);
  const [manifest] = await store.manifests();
  expect(manifest).toMatchObject({ before: to });
  expect(manifest?.shards).toHaveLength(3);
  const inAYear = Date.now() + 365 * 24 * 3_600_000;
  const { backups } = await decidePrune(deployment, await openPruneStores(deployment), { now: inAYear });
  expect(backups).toMatchObject([{ backup: manifest?.backup, stays: true }]);
}

/** What is kept aside of what came after the backup. */
async function later(restores: readonly RestoreRecord[]): Promise<string[]> {
  const found: string[] = [];
  for (const { keptAside } of restores) {
    const chunks = createReadStream(join(keptAside.at, 'dump.rdb')) as AsyncIterable<Buffer>;
    for await (const record of readEntries(chunks))
      if (record.kind === 'key' && record.key.toString().startsWith('later-')) found.push(record.key.toString());
  }
  return found;
}
