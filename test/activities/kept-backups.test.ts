// What would be missed when it is needed: the last whole backup, gone for the sake of half a newer one.
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { COMPLETE, prune } from '../../activities/backup.js';

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
