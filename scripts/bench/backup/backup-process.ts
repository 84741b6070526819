import { BackupStore } from '../../../integrations/backup-store.js';
import { deploymentSchema, type DeploymentFile } from '../../../model/deployment.js';
import type { Endpoint } from '../../../redis/connection.js';
import { openSnapshot } from '../../../redis/snapshot.js';
import { boundHeaps, collectStart } from '../../../workers/memory.js';

export interface BackupInput {
  from: Endpoint;
  deployment: DeploymentFile;
  backup: string;
}

/** What one shard's backup came to. */
export interface BackupDone {
  rdbBytes: number;
  sealedBytes: number;
  keys: number;
}

// As the activity does it (activities/sealed-backup.ts), in a process whose memory is its own.
const { from, deployment, backup } = JSON.parse(process.argv[2] ?? '{}') as BackupInput;
boundHeaps();
process.once('disconnect', () => process.exit(1));
const store = await BackupStore.open(deploymentSchema.parse(deployment));
const keys = await store.keys();
collectStart();
process.send?.('ready');
await new Promise((go) => process.once('message', go));
await using snapshot = await openSnapshot({
  from,
  onProgress: () => undefined,
  signal: new AbortController().signal,
});
const { bytes } = await store.putShard({ backup, shard: 'shard-1', keys }, snapshot.chunks());
const { summary } = snapshot.whole();
process.send?.({ rdbBytes: summary.bytes, sealedBytes: bytes, keys: summary.keys } satisfies BackupDone);
await new Promise((end) => process.once('message', end));
process.exit(0);
