export { upgrade } from './upgrade.js';
export { rollingUpgrade } from './rolling-upgrade.js';
export { upgradeShard } from './upgrade-shard.js';
export { fallback } from './fallback.js';
export { backup } from './backup.js';
export { verifyBackup } from './verify-backup.js';
export { scheduledBackup } from './scheduled-backup.js';
export { pruneBackups } from './prune-backups.js';
