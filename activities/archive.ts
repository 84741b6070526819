import { ArchiveStore } from '../integrations/archive-store.js';
import { BackupStore } from '../integrations/backup-store.js';
import { slotsKey } from '../model/archive.js';
import type { ArchiveActivities } from '../model/backup-work.js';
import { archiveGauges } from './archive-metrics.js';
import { archiveShard } from './archive-shard.js';
import { archiveSources } from './archive-sources.js';
import { contextFor, heartbeating } from './context.js';
import type { Dependencies } from './dependencies.js';
import { mergeArchive } from './merge-archive.js';
import { stillSlots } from './sealed-backup.js';

/** The command streams of a deployment, into the target of its backups. */
export function archiveActivities(dependencies: Dependencies): ArchiveActivities {
  return {
    beginArchive: (input) =>
      heartbeating(async () => {
        const context = await contextFor(dependencies, input);
        const store = await BackupStore.open(context.deployment);
        await store.keys();
        await store.check();
        const shards = (await stillSlots(context, 'an archive would lack keys')).map(({ name, slots }) => ({
          shard: name,
          slots: slotsKey(slots),
        }));
        return { shards, target: store.name };
      }),

    archiveShard: (input) =>
      heartbeating(async (progress) => {
        const { shard, slots, snapshotComing } = input;
        const context = await contextFor(dependencies, input);
        const { deployment, signal } = context;
        const backups = await BackupStore.open(deployment);
        const measure = archiveGauges({ deployment: deployment.name, shard });
        return archiveShard({
          ...{ shard, slots, snapshotComing, signal },
          store: await ArchiveStore.open(deployment),
          reopen: async () => ArchiveStore.open((await contextFor(dependencies, input)).deployment),
          keys: await backups.keys(),
          sources: () => archiveSources(context, slots),
          snapshots: async () =>
            (await backups.manifests()).flatMap(({ shards }) => shards.filter((it) => slotsKey(it.slots) === slots)),
          rollBytes: deployment.backup.archive.rollBytes,
          rollEveryMs: deployment.backup.archive.rollEvery,
          onState: (state) => {
            progress(state);
            measure(state);
          },
        });
      }),

    mergeArchive: (input) =>
      heartbeating(async (progress) => {
        const { deployment, signal } = await contextFor(dependencies, input);
        return mergeArchive({
          archive: await ArchiveStore.open(deployment),
          keys: await (await BackupStore.open(deployment)).keys(),
          until: input.now - deployment.backup.archive.mergeAfter,
          ...{ onProgress: progress, signal },
        });
      }),
  };
}
