import { ArchiveStore } from '../integrations/archive-store.js';
import { BackupStore } from '../integrations/backup-store.js';
import { DrillRecords } from '../integrations/drill-records.js';
import type { Deployment } from '../model/deployment.js';
import type { RecoveryPointFound } from '../model/drill.js';
import { choosePart } from '../model/drill-part.js';
import { RolloutError } from '../model/failures.js';
import { firstCut, reachOf } from '../model/recovery.js';
import type { DrillAsked, DrillPlan } from '../model/backup-work.js';
import { holdBackup } from './backup-users.js';
import { chosenBackup } from './prove-backup.js';
import { resolvePoint } from './recovery-point.js';

/**
 * What a drill restores: what was asked for, else the newest moment that can be had. Where the archive reaches further than the
 * newest backup, that is a point.
 *
 * @throws RolloutError BadInput, naming what can be had; Damaged, Unreachable, Unauthorized
 */
export async function planDrill(
  deployment: Deployment,
  { backup: named, point: asked, ...part }: DrillAsked,
  signal: AbortSignal,
): Promise<Omit<DrillPlan, 'searchable'>> {
  const now = Date.now();
  const backups = await BackupStore.open(deployment);
  const archive = await ArchiveStore.open(deployment);
  const keys = await backups.keys();
  const reach = named === undefined ? reachOf(await known(backups, archive), now) : undefined;
  if (asked === 'now' && reach?.by !== 'archive')
    throw new RolloutError(
      'BadInput',
      `at: expected an archive that reaches further than the newest backup of ${deployment.name}, found none (rollout archive)`,
    );
  const wanted =
    asked === 'now' || (asked === undefined && reach?.by === 'archive')
      ? ({ kind: 'at', ms: reach?.at ?? now } as const)
      : asked;
  const point = wanted && (await resolvePoint(wanted, { backups, archive, keys, signal }));
  const backup = point?.backup ?? (await chosenBackup(backups, deployment.name, named));
  await holdBackup(deployment, backup);
  const manifest = await backups.manifest(backup);
  const { at, by } = reach ?? { at: firstCut(manifest), by: 'backup' as const };
  const recoveryPoint: RecoveryPointFound = { ms: Math.max(0, now - at), by, reaches: new Date(at).toISOString() };
  const chosen = await partOf(deployment, manifest.shards, part);
  return {
    ...{ backup, recoveryPoint, shards: chosen?.shards.length ?? manifest.shards.length },
    ...(point ? { point } : {}),
    ...(chosen ? { part: chosen } : {}),
  };
}

const known = async (backups: BackupStore, archive: ArchiveStore) => ({
  backups: await backups.manifests(),
  segments: await archive.segments(),
});

/** As asked for, else as `drill.sample` has it. */
async function partOf(
  deployment: Deployment,
  shards: Parameters<typeof choosePart>[0],
  asked: Parameters<typeof choosePart>[1],
): Promise<DrillPlan['part']> {
  const nothing = asked.shards === undefined && asked.slots === undefined;
  const sample = asked.sample ?? (nothing ? deployment.drill.sample : undefined);
  const before = sample === undefined ? [] : await (await DrillRecords.open(deployment)).newest(deployment.drill.keep);
  const chosen = choosePart(
    shards,
    { ...asked, sample },
    before.flatMap((it) => ('problem' in it ? [] : it)),
  );
  if (chosen && 'refused' in chosen) throw new RolloutError('BadInput', chosen.refused);
  return chosen;
}
