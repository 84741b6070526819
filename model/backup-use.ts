import { z } from 'zod';

/** A run that reads a backup, or the archive behind it: neither is pruned while it lasts. */
export const backupUse = z.strictObject({
  format: z.literal(1),
  backup: z.string(),
  /** Of Temporal. */
  namespace: z.string(),
  workflowId: z.string(),
  runId: z.string(),
});
export type BackupUse = z.output<typeof backupUse>;

/** What Temporal says of a run; `unknown`: it is another Temporal's, or was ended so long ago that it is forgotten. */
export type RunFate = 'running' | 'ended' | 'unknown';

export const usesFolder = (deployment: string): string => `${deployment}/in-use/`;
export const useObject = (deployment: string, { backup, runId }: Pick<BackupUse, 'backup' | 'runId'>): string =>
  `${usesFolder(deployment)}${backup}/${runId}.json`;

/** Beside the names of backups, and none itself: who is about to remove something. */
export const removalsFolder = (deployment: string): string => `${usesFolder(deployment)}removal/`;

const DAY_MS = 86_400_000;
/** A restore that nobody can be asked about is over by then, ms: no attempt at a shard of it takes longer than a week. */
const FORGOTTEN_MS = 8 * DAY_MS;

/**
 * Does somebody read a backup still? Says why, as a sentence goes on after `it stays: `.
 *
 * @param use.seenAt when it last said so, Unix ms
 */
export function stillUsed(
  { workflowId, seenAt }: Pick<BackupUse, 'workflowId'> & { seenAt: number },
  fate: RunFate,
  now: number,
): string | undefined {
  if (fate === 'running') return `${workflowId} is reading it`;
  const until = seenAt + FORGOTTEN_MS;
  if (fate === 'ended' || until <= now) return undefined;
  return `${workflowId} may be reading it until ${new Date(until).toISOString()}: this Temporal does not know its run`;
}
