import type { Deployment } from '../model/deployment.js';
import type { PrunePlan } from '../model/pruning.js';
import { retention, type Retained } from '../model/retention.js';
import { knownBackup, type BackupStore } from './backup-store.js';

/** What pruning would do. Changes nothing. @param now Unix ms */
export async function planPrune(deployment: Deployment, store: BackupStore, now: number): Promise<PrunePlan> {
  const leftovers = await store.leftovers(now);
  return {
    target: store.name,
    backups: await retained(deployment, store, now),
    leftovers: leftovers.map(({ backup, objects, unfinished, bytes }) => ({
      ...{ backup, objects: objects.length, unfinished: unfinished.length, bytes },
    })),
  };
}

/** Every backup that has a manifest, the newest first, with what is decided of it now. */
export const retained = async (deployment: Deployment, store: BackupStore, now: number): Promise<Retained[]> =>
  retention((await store.all()).map(knownBackup), deployment.backup.retention, {
    ...{ now, ofUpgrades: deployment.backup.keep },
  });
