import { BackupStore, knownBackup } from '../integrations/backup-store.js';
import { decidePrune, openPruneStores, planPrune } from '../integrations/plan-prune.js';
import type { PruneActivities } from '../model/pruning.js';
import { proofDue } from '../model/retention.js';
import { usedBackups, whileRemoving } from './backup-users.js';
import { contextFor, heartbeating } from './context.js';
import type { Dependencies } from './dependencies.js';
import { pruneArchive } from './prune-archive.js';

/** Removes backups that nobody needs any more. Each act decides anew: another may have pruned, or proven one, meanwhile. */
export function pruneActivities(dependencies: Dependencies): PruneActivities {
  return {
    chooseProof: (input) =>
      heartbeating(async () => {
        const { deployment } = await contextFor(dependencies, input);
        const every = deployment.backup.schedule?.prove[input.tier] ?? 0;
        const backups = (await (await BackupStore.open(deployment)).all()).map(knownBackup);
        return proofDue(input.backup, input.tier, { backups, every });
      }),

    planPrune: (input) =>
      heartbeating(async () => {
        const { deployment } = await contextFor(dependencies, input);
        const stores = await openPruneStores(deployment);
        for (const store of [stores.uses, stores.backups]) await store.tidy(input.now);
        return planPrune(deployment, stores, input.now);
      }),

    removeBackup: (input) =>
      heartbeating(async () => {
        const { deployment } = await contextFor(dependencies, input);
        const { backups: store, archive, uses } = await openPruneStores(deployment);
        const { backup, now } = input;
        const { backups } = await decidePrune(deployment, { backups: store, archive }, { now });
        const verdict = backups.find((it) => it.backup === backup);
        if (verdict?.stays) return { backup, state: 'needed', reason: verdict.reason };
        const objects = await store.objectsOf(backup);
        return whileRemoving(uses, async (inTime) => {
          const reader = (await usedBackups(uses, dependencies, now)).get(backup);
          if (reader !== undefined) return { backup, state: 'needed', reason: reader };
          const locked = await store.remove(objects, inTime);
          return locked === undefined
            ? { backup, state: 'removed', reason: verdict?.reason ?? 'it was gone already' }
            : { backup, state: 'locked', reason: locked };
        });
      }),

    removeLeftover: (input) =>
      heartbeating(async () => {
        const { deployment } = await contextFor(dependencies, input);
        const store = await BackupStore.open(deployment);
        const { backup, now } = input;
        const left = (await store.leftovers(now)).find((it) => it.backup === backup);
        if (!left) return { backup, state: 'removed', reason: 'it was gone already' };
        for (const upload of left.unfinished) await store.abort(upload);
        const locked = await store.remove(left.objects.map(({ object }) => object));
        return locked === undefined
          ? { backup, state: 'removed', reason: 'its backup failed' }
          : { backup, state: 'locked', reason: locked };
      }),

    pruneArchive: (input) =>
      heartbeating(async (progress) => {
        const { deployment, signal } = await contextFor(dependencies, input);
        const { fateOf } = dependencies;
        const { now } = input;
        return pruneArchive(deployment, await openPruneStores(deployment), {
          now,
          fateOf,
          onRemoved: progress,
          signal,
        });
      }),
  };
}
