import { ArchiveStore } from '../integrations/archive-store.js';
import { BackupStore } from '../integrations/backup-store.js';
import type { BackupActivities } from '../model/backup-work.js';
import { holdBackup } from './backup-users.js';
import { contextFor, heartbeating } from './context.js';
import type { Dependencies } from './dependencies.js';
import { resolvePoint } from './recovery-point.js';
import { keysOf } from './scratch-server.js';
import { serverAt } from './snapshot-at.js';

/** Points in time between backups: found, and proven by bringing each shard back to one. */
export function provePointActivities(
  dependencies: Dependencies,
): Pick<BackupActivities, 'resolvePoint' | 'provePoint'> {
  return {
    resolvePoint: (input) =>
      heartbeating(async () => {
        const { deployment, signal } = await contextFor(dependencies, input);
        const backups = await BackupStore.open(deployment);
        const archive = await ArchiveStore.open(deployment);
        const point = await resolvePoint(input.point, { backups, archive, keys: await backups.keys(), signal });
        await holdBackup(deployment, point.backup);
        return point;
      }),

    provePoint: (input) =>
      heartbeating(async (progress) => {
        const begun = performance.now();
        const { backup, shard: name, offset } = input;
        const { deployment, signal } = await contextFor(dependencies, input);
        const backups = await BackupStore.open(deployment);
        await holdBackup(deployment, backup);
        const shard = await backups.shard(backup, name);
        await using server = await serverAt({
          ...{ backups, archive: await ArchiveStore.open(deployment), keys: await backups.keys() },
          ...{ backup, shard, offset, servers: deployment.platform.servers, signal, onProgress: progress },
        });
        const keys = (await keysOf(server.endpoint)) ?? new Map<number, number>();
        return {
          ...{ shard: name, keys: [...keys.values()].reduce((sum, count) => sum + count, 0) },
          ...{ restoredBy: server.release, tookMs: Math.round(performance.now() - begun) },
        };
      }),
  };
}
