import { BackupStore } from '../../../integrations/backup-store.js';
import { deploymentSchema, type DeploymentFile } from '../../../model/deployment.js';
import { connect, type Endpoint } from '../../../redis/connection.js';
import { compareWithSnapshot } from '../../../redis/verify/against-snapshot.js';

export type VerifyInput =
  | { method: 'rollout'; restored: Endpoint; deployment: DeploymentFile; backup: string }
  | { method: 'dump'; restored: Endpoint; source: Endpoint };

export interface VerifyDone {
  compared: number;
  different: number;
}

export interface Processor {
  processorMs: number;
}

const AT_ONCE = 500;

/** As the activity does it (activities/prove-backup.ts), once its server has loaded the backup. */
async function rollout(input: VerifyInput & { method: 'rollout' }): Promise<VerifyDone> {
  const store = await BackupStore.open(deploymentSchema.parse(input.deployment));
  const shard = await store.shard(input.backup, 'shard-1');
  const snapshot = store.getShard(input.backup, shard, await store.keys());
  const { keys, expires } = shard;
  const { compared, different, missing, others } = await compareWithSnapshot({
    ...{ snapshot, node: input.restored, keys, expires },
  });
  return { compared, different: different + missing + others };
}

/** What people write: SCAN, then DUMP and PTTL of both by pipelines of 500. */
async function dump(input: VerifyInput & { method: 'dump' }): Promise<VerifyDone> {
  await using source = await connect(input.source, { timeoutMs: 60_000 });
  await using restored = await connect(input.restored, { timeoutMs: 60_000 });
  const done = { compared: 0, different: 0 };
  for (let cursor = '0'; ;) {
    const [next, keys] = (await source.call('SCAN', cursor, 'COUNT', AT_ONCE)) as [string, string[]];
    const asked = keys.flatMap((key): [string, string][] => [
      ['DUMP', key],
      ['PTTL', key],
    ]);
    const [here, there] = await Promise.all(
      [source, restored].map((node) => node.pipeline(asked, { buffers: true }) as Promise<Buffer[]>),
    );
    for (const [i] of keys.entries()) {
      const [a, b] = [here?.[2 * i], there?.[2 * i]];
      done.compared++;
      if (!a || !b?.equals(a)) done.different++;
    }
    cursor = next;
    if (cursor === '0') return done;
  }
}

// In a process whose memory is its own.
const input = JSON.parse(process.argv[2] ?? '{}') as VerifyInput;
process.once('disconnect', () => process.exit(1));
process.send?.('ready');
await new Promise((go) => process.once('message', go));
const before = process.cpuUsage();
const done = await (input.method === 'rollout' ? rollout(input) : dump(input));
const { user, system } = process.cpuUsage(before);
process.send?.({ ...done, processorMs: (user + system) / 1000 } satisfies VerifyDone & Processor);
await new Promise((end) => process.once('message', end));
process.exit(0);
