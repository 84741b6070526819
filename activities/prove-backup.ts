import { BackupStore } from '../integrations/backup-store.js';
import { damaged } from '../integrations/sealed.js';
import { isWhole, type ProvenShard, type SealedShard } from '../model/backup-manifest.js';
import type { Deployment } from '../model/deployment.js';
import { RolloutError } from '../model/failures.js';
import type { BackupActivities } from '../model/backup-work.js';
import { RdbReader } from '../redis/rdb/reader.js';
import type { RdbSummary } from '../redis/rdb/tally.js';
import { compareWithSnapshot } from '../redis/verify/against-snapshot.js';
import { SAMPLE } from '../redis/verify/keys.js';
import { holdBackup } from './backup-users.js';
import { contextFor, heartbeating } from './context.js';
import type { Dependencies } from './dependencies.js';
import { scratchServer } from './scratch-server.js';
import { serverFor } from './server-for.js';

/** A backup is worth what a server makes of it: each shard is loaded by one of its release, which is then thrown away. */
export function proveBackupActivities(
  dependencies: Dependencies,
): Pick<BackupActivities, 'readBackup' | 'proveShard' | 'recordVerdict'> {
  return {
    readBackup: (input) =>
      heartbeating(async () => {
        const { deployment } = await contextFor(dependencies, input);
        const store = await BackupStore.open(deployment);
        await store.keys();
        const backup = await heldBackup(store, deployment, input.backup);
        const { shards } = await store.manifest(backup);
        return { backup, shards: shards.map(({ shard }) => shard) };
      }),

    proveShard: (input) =>
      heartbeating(async (progress) => {
        const begun = performance.now();
        const { deployment, signal } = await contextFor(dependencies, input);
        const store = await BackupStore.open(deployment);
        const keys = await store.keys();
        await holdBackup(deployment, input.backup);
        const shard = await store.shard(input.backup, input.shard);
        async function* rdb(of: SealedShard): AsyncGenerator<Buffer, void, void> {
          const reader = new RdbReader();
          let bytes = 0;
          for await (const chunk of store.getShard(input.backup, of, keys)) {
            signal.throwIfAborted();
            reader.push(chunk);
            progress({ bytes: (bytes += chunk.length), total: of.rdb.bytes });
            yield chunk;
          }
          expectCounts(of, reader.end());
        }
        const proven = (more: Partial<ProvenShard>): ProvenShard => ({
          ...{ shard: shard.shard, keys: shard.keys, ...more },
          tookMs: Math.round(performance.now() - begun),
        });
        const server = await serverFor(shard.release, deployment.platform.servers);
        if (!server) {
          // eslint-disable-next-line @typescript-eslint/no-unused-vars -- read to its end, which is what is asked
          for await (const _ of rdb(shard)) continue;
          return proven({});
        }
        const databases = 1 + Math.max(0, ...shard.databases.map(({ index }) => index));
        await using scratch = await scratchServer({ program: server.program, rdb: rdb(shard), databases, signal });
        expectLoaded(shard, scratch.keys, server.release);
        const compared = await expectSame(shard, server.release, {
          ...{ snapshot: store.getShard(input.backup, shard, keys), node: scratch.endpoint, signal },
          ...(deployment.policy.verify === 'sample' ? { sample: SAMPLE } : {}),
          ...(input.rate === undefined ? {} : { rate: input.rate }),
          onProgress: (count) => progress({ compared: count, of: shard.keys }),
        });
        return proven({ restoredBy: server.release, compared });
      }),

    recordVerdict: (input) =>
      heartbeating(async () => {
        const { deployment } = await contextFor(dependencies, input);
        await (await BackupStore.open(deployment)).putVerdict(input.verdict);
      }),
  };
}

/** As `chosenBackup`, and kept from being pruned while this workflow runs. @throws RolloutError BadInput where there is none */
export async function heldBackup(store: BackupStore, deployment: Deployment, asked?: string): Promise<string> {
  const { name } = deployment;
  const backup = await chosenBackup(store, name, asked);
  await holdBackup(deployment, backup);
  return chosenBackup(store, name, backup);
}

function expectLoaded({ object, databases }: SealedShard, found: Map<number, number>, release: string): void {
  for (const { index, keys } of databases)
    if (found.get(index) !== keys)
      throw damaged(
        object,
        `${release} has loaded ${found.get(index) ?? 0} keys of database ${index}, the manifest says ${keys}`,
      );
}

/** What the server has made of it against our own reading of it. */
async function expectSame(
  { object, databases, keys, expires }: SealedShard,
  release: string,
  input: Omit<Parameters<typeof compareWithSnapshot>[0], 'keys' | 'expires' | 'databases'>,
): Promise<ProvenShard['compared']> {
  const indexes = databases.map(({ index }) => index);
  const found = await compareWithSnapshot({ ...input, keys, expires, databases: indexes.length === 0 ? [0] : indexes });
  const { different, missing, others, examples, compared, expired } = found;
  if (different + missing + others > 0)
    throw damaged(
      object,
      `${release} serves ${different} keys otherwise than they are in it, lacks ${missing}, and has ${others} others: ${examples.slice(0, 5).join('; ')}`,
    );
  return { keys: found.keys - expired, values: compared, expired };
}

/** The one that is named, or the newest that has every slot. @throws RolloutError BadInput where there is none; Damaged */
export async function chosenBackup(store: BackupStore, deployment: string, asked?: string): Promise<string> {
  const ids = await store.ids();
  const backup = asked ?? (await newestWhole(store, ids));
  if (backup !== undefined && ids.includes(backup)) return backup;
  throw new RolloutError(
    'BadInput',
    `there is no backup ${asked ?? `of ${deployment}`} in ${store.name}: ` +
      (ids.length === 0 ? 'there are none' : `the newest are ${ids.slice(0, 3).join(', ')}`),
  );
}

async function newestWhole(store: BackupStore, ids: readonly string[]): Promise<string | undefined> {
  for (const id of ids) if (isWhole(await store.manifest(id))) return id;
  return undefined;
}

function expectCounts({ object, keys, expires, functions }: SealedShard, found: RdbSummary): void {
  const [has, says] = [found, { keys, expires, functions }].map(
    (it) => `${it.keys} keys, ${it.expires} of them expiring, and ${it.functions} libraries`,
  );
  if (has !== says) throw damaged(object, `it has ${has ?? ''}, the manifest says ${says ?? ''}`);
}
