// What would be missed when it is needed: the last whole backup, gone for the sake of half a newer one.
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { COMPLETE, newestBackup, prune } from '../../activities/backup.js';
import { chosenBackup } from '../../activities/prove-backup.js';
import { BackupStore } from '../../integrations/backup-store.js';
import { parseDeployment } from '../../model/deployment-file.js';
import { manifestOf, type BackupManifest, type SealedShard } from '../../model/backup-manifest.js';

test('incomplete backups count for nothing and go first; of complete ones the newest stay', async () => {
  const all = await mkdtemp(join(tmpdir(), 'redis-rollout-backups-'));
  try {
    // By age, the oldest first; the half ones were written last of all.
    const complete = ['first', 'second', 'third', 'own'];
    for (const [age, name] of [...complete, 'half', 'half-again'].entries()) {
      await mkdir(join(all, name));
      await writeFile(join(all, name, 'shard-1.json'), '{}');
      if (!complete.includes(name)) continue;
      await writeFile(join(all, name, COMPLETE), '{}');
      await utimes(join(all, name, COMPLETE), 1000 + age, 1000 + age);
    }
    await writeFile(join(all, 'notes.txt'), 'of a person');
    await prune(all, join(all, 'own'), 3);
    expect((await readdir(all)).sort()).toEqual(['notes.txt', 'own', 'second', 'third']);
    await prune(all, join(all, 'own'), 1);
    expect((await readdir(all)).sort()).toEqual(['notes.txt', 'own']);
  } finally {
    await rm(all, { recursive: true, force: true });
  }
});

test('with a key a fallback finds the newest of an upgrade in the target, of the release to go back to; else the newest here', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'redis-rollout-backups-'));
  vi.stubEnv('ROLLOUT_TEST_BACKUP_KEY', randomBytes(32).toString('base64'));
  try {
    const deployment = parseDeployment(
      JSON.stringify({
        ...{ name: 'orders', topology: 'cluster', seeds: ['a:1'], platform: { kind: 'process' } },
        backup: { directory, encryption: { key: 'env:ROLLOUT_TEST_BACKUP_KEY' } },
      }),
      'orders.yaml',
      'orders',
    );
    const here = join(directory, 'orders', 'of-a-run');
    await mkdir(here, { recursive: true });
    await writeFile(
      join(here, 'shard-1.json'),
      JSON.stringify({ shard: 'shard-1', file: 'here.rdb', release: '7.0.15' }),
    );
    await writeFile(join(here, COMPLETE), JSON.stringify({ shards: ['shard-1'] }));
    const store = await BackupStore.open(deployment);
    await expect(chosenBackup(store, 'orders')).rejects.toMatchObject({ type: 'BadInput' });
    expect(await newestBackup(deployment, '7.0.15')).toMatchObject([{ file: 'here.rdb' }]);
    // By age: before a first hop, before a second, by a schedule since, and of one shard alone, upgraded later.
    const [first, second, daily, single] = [
      await putManifest(store, 1, { before: '7.2.4', release: '7.0.15' }),
      await putManifest(store, 2, { before: '8.0.6', release: '7.2.4' }),
      await putManifest(store, 3, { tier: 'daily', release: '7.0.15' }),
      await putManifest(store, 4, { before: '9.0.0', release: '8.0.6', slots: [[0, 5]] }),
    ];
    const found = async (of: string): Promise<(string | undefined)[]> =>
      (await newestBackup(deployment, of)).map(({ sealedIn }) => sealedIn);
    expect([await found('7.0'), await found('7.2.4'), await found('8.0.6')]).toEqual([[first], [second], [single]]);
    expect(await found('6.2.0')).toEqual([]);
    expect(await newestBackup(deployment, '7.2.4')).toMatchObject([
      {
        ...{ shard: 'shard-1', keys: 3, bytes: 90, at: '2026-11-22T12:00:00.000Z' },
        file: store.nameOf(object(second)),
      },
    ]);
    // Whoever names none gets one that has every slot.
    expect(await chosenBackup(store, 'orders')).toBe(daily);
    expect(await chosenBackup(store, 'orders', single)).toBe(single);
    expect((await store.manifests()).map(({ backup }) => backup)).toEqual([daily, second, first]);
  } finally {
    vi.unstubAllEnvs();
    await rm(directory, { recursive: true, force: true });
  }
});

const object = (backup: string): string => `orders/${backup}/shard-1.rdb.gz.sealed`;

async function putManifest(
  store: BackupStore,
  day: number,
  {
    release,
    slots = [[0, 16383]],
    ...about
  }: Pick<BackupManifest, 'before' | 'tier'> & { release: string; slots?: [number, number][] },
): Promise<string> {
  const backup = `2026112${day}T120000Z-00000000`;
  const at = `2026-11-2${day}T12:00:00.000Z`;
  const shard: SealedShard = {
    ...{
      shard: 'shard-1',
      slots,
      object: object(backup),
      node: 'a:1',
      role: 'replica',
      release,
      rdbVersion: 10,
      keys: 3,
    },
    ...{ expires: 0, databases: [{ index: 0, keys: 3, expires: 0 }], functions: 0, replid: 'a'.repeat(40), offset: 7 },
    ...{
      rdb: { bytes: 90, sha256: 'b'.repeat(64) },
      sealed: { bytes: 99, sha256: 'c'.repeat(64) },
      compression: 'gzip',
    },
    ...{ key: 'k', cutAt: at, endedAt: at },
  };
  const times = { startedAt: at, endedAt: at };
  await store.putManifest(manifestOf({ deployment: 'orders', backup, startedBy: 'ana', ...times, ...about }, [shard]));
  return backup;
}
