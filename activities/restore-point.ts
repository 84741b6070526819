import { BackupStore } from '../integrations/backup-store.js';
import type { RestorePoint } from '../model/evidence.js';
import { readSnapshot } from '../redis/snapshot.js';
import { holdBackup } from './backup-users.js';
import type { Context } from './context.js';

/**
 * A shard's backup as its server sent it, read anew by each call: opened where it was sealed. It is whole, and what was taken,
 * only once it has come to its end.
 *
 * @throws RolloutError Damaged, Unauthorized, Unreachable
 */
export async function openRestorePoint(
  { deployment }: Pick<Context, 'deployment'>,
  { shard, file, sealedIn }: RestorePoint,
): Promise<() => AsyncIterable<Buffer>> {
  if (sealedIn === undefined) return () => readSnapshot(file);
  const store = await BackupStore.open(deployment);
  const keys = await store.keys();
  await holdBackup(deployment, sealedIn);
  const sealed = await store.shard(sealedIn, shard);
  return () => store.getShard(sealedIn, sealed, keys);
}
