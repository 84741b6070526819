import { BackupStore, knownBackup } from '../integrations/backup-store.js';
import { planPrune, retained } from '../integrations/plan-prune.js';
import type { PruneActivities } from '../model/pruning.js';
import { proofDue } from '../model/retention.js';
import { contextFor, heartbeating } from './context.js';
import type { Dependencies } from './dependencies.js';

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
        return planPrune(deployment, await BackupStore.open(deployment), input.now);
      }),

    removeBackup: (input) =>
      heartbeating(async () => {
        const { deployment } = await contextFor(dependencies, input);
        const store = await BackupStore.open(deployment);
        const { backup, now } = input;
        const verdict = (await retained(deployment, store, now)).find((it) => it.backup === backup);
        if (verdict?.stays) return { backup, state: 'needed', reason: verdict.reason };
        const locked = await store.remove(await store.objectsOf(backup));
        return locked === undefined
          ? { backup, state: 'removed', reason: verdict?.reason ?? 'it was gone already' }
          : { backup, state: 'locked', reason: locked };
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
  };
}
