/** What a backup was taken as, from the one that is soonest replaced on. A higher one counts as each lower one, too. */
export const backupTiers = ['hourly', 'daily', 'weekly', 'monthly'] as const;
export type BackupTier = (typeof backupTiers)[number];

/** Undefined is below all of them: somebody asked for it. */
export const isAtLeast = (tier: BackupTier | undefined, least: BackupTier): boolean =>
  tier !== undefined && backupTiers.indexOf(tier) >= backupTiers.indexOf(least);
