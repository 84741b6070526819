import { archiveShard, type ArchiveSource } from '../../../activities/archive-shard.js';
import { ArchiveStore } from '../../../integrations/archive-store.js';
import { BackupStore } from '../../../integrations/backup-store.js';
import { deploymentSchema, type DeploymentFile } from '../../../model/deployment.js';

export interface ArchiveInput {
  sources: ArchiveSource[];
  deployment: DeploymentFile;
}

/** A segment that is in the bucket: up to which offset, and when, Unix ms. */
export interface Stored {
  end: number;
  at: number;
  bytes: number;
}

// As the activity does it (activities/archive.ts), in a process whose memory is its own. It ends when it is told to.
const { sources, deployment: file } = JSON.parse(process.argv[2] ?? '{}') as ArchiveInput;
process.once('disconnect', () => process.exit(1));
const deployment = deploymentSchema.parse(file);
const store = await ArchiveStore.open(deployment);
const keys = await (await BackupStore.open(deployment)).keys();
const put = store.put.bind(store);
store.put = async (...words) => {
  const stored = await put(...words);
  process.send?.({ end: stored.segment.end, at: Date.now(), bytes: stored.sealedBytes } satisfies Stored);
  return stored;
};
const ending = new AbortController();
process.once('message', () => ending.abort());
const { rollBytes, rollEvery } = deployment.backup.archive;
const archive = (snapshotComing: boolean): ReturnType<typeof archiveShard> =>
  archiveShard({
    ...{ shard: 'shard-1', slots: '0-16383', store, keys, snapshotComing, rollBytes, rollEveryMs: rollEvery },
    ...{ reopen: () => Promise.resolve(store), signal: ending.signal },
    sources: () => Promise.resolve(sources),
    snapshots: () => Promise.resolve([]),
  });
try {
  // The first run ends once its first segment is stored, and a backup would be taken.
  await archive(false);
  await archive(true);
} catch (error) {
  if (!ending.signal.aborted) throw error;
}
process.exit(0);
