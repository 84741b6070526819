// A backup that is pruned while somebody has just begun to restore it.
import { mkdtemp, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BackupTarget } from '../../integrations/backup-target.js';
import { BackupUses } from '../../integrations/backup-uses.js';
import { folderTarget } from '../../integrations/folder-target.js';
import { RolloutError } from '../../model/failures.js';

let root: string;
let made = 0;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'redis-rollout-uses-'));
});
afterAll(() => rm(root, { recursive: true }));
const target = (): BackupTarget => folderTarget(join(root, String(++made)));

const BACKUP = '20261129T231400Z-1a2b3c4d';
const use = (runId: string) => ({ backup: BACKUP, namespace: 'default', workflowId: 'redis/orders', runId });
const manifest = `orders/${BACKUP}/manifest.json`;

/** As activities remove it. Says whether it did. */
const prune = (uses: BackupUses, holder: string, store: BackupTarget): Promise<boolean> =>
  uses.whileRemoving(holder, async (inTime) => {
    if ((await uses.all()).length > 0) return false;
    inTime();
    return store.remove(manifest);
  });
const isThere = async (store: BackupTarget): Promise<boolean> => (await store.list(manifest)).length === 1;

test('in whichever order they come, one who found it after he had said that he reads it keeps it', async () => {
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), fc.boolean(), async (scheduler, twoPrune) => {
      const real = target();
      await real.putAtOnce(manifest, Buffer.from('x'));
      // Each request reaches the store when it is its turn, and is answered when it is its turn again.
      const turn = <T>(act: () => Promise<T>): Promise<T> =>
        scheduler.schedule(Promise.resolve(), 'request').then(act).then((it) => scheduler.schedule(Promise.resolve(it), 'answer')); // prettier-ignore
      const slow: BackupTarget = {
        ...real,
        putAtOnce: (...words) => turn(() => real.putAtOnce(...words)),
        list: (...words) => turn(() => real.list(...words)),
        objects: (...words) => turn(() => real.objects(...words)),
        remove: (...words) => turn(() => real.remove(...words)),
      };
      const open = (): BackupUses =>
        new BackupUses('orders', slow, () => scheduler.schedule(Promise.resolve(), 'wait'));
      const reading = (async () => {
        await open().hold(use('reader'));
        return isThere(slow);
      })();
      const pruning = ['one', ...(twoPrune ? ['two'] : [])].map((holder) => prune(open(), holder, slow));
      const [found, ...removed] = await scheduler.waitFor(Promise.all([reading, ...pruning]));
      const stays = await isThere(real);
      expect(found).toBe(stays);
      expect(stays).toBe(!removed.includes(true));
    }),
    { numRuns: 300 },
  );
});

test('one after the other: who comes first has it', async () => {
  for (const readFirst of [true, false]) {
    const store = target();
    await store.putAtOnce(manifest, Buffer.from('x'));
    const uses = new BackupUses('orders', store);
    if (readFirst) await uses.hold(use('reader'));
    expect(await prune(uses, 'one', store)).toBe(!readFirst);
    if (!readFirst) await uses.hold(use('reader'));
    expect(await isThere(store)).toBe(readFirst);
  }
});

test('one that died while it removed something holds nobody up for longer than two minutes', async () => {
  const store = target();
  let waited = 0;
  const uses = new BackupUses('orders', store, (ms) => Promise.resolve((waited += ms)));
  await store.putAtOnce('orders/in-use/removal/dead.json', Buffer.from('{}'));
  await uses.hold(use('reader'));
  expect(waited).toBe(120_000);
  await uses.tidy(Date.now());
  expect(await store.list('orders/in-use/removal/')).toHaveLength(1);
  await uses.tidy(Date.now() + 2 * 86_400_000);
  expect(await store.list('orders/in-use/removal/')).toEqual([]);
  expect(await uses.all()).toMatchObject([use('reader')]);
  await uses.forget({ format: 1, ...use('reader') });
  expect(await uses.all()).toEqual([]);
});

test.each([
  [180_000, 0, 0],
  [60_000, 60_000, 62_000],
])('one that died %i ms ago holds up for as long as a request of it may be under way', async (ago, least, most) => {
  const folder = join(root, String(++made));
  const store = folderTarget(folder);
  const dead = 'orders/in-use/removal/dead.json';
  await store.putAtOnce(dead, Buffer.from('{}'));
  const at = (Date.now() - ago) / 1000;
  await utimes(join(folder, dead), at, at);
  let waited = 0;
  await new BackupUses('orders', store, (ms) => Promise.resolve((waited += ms))).hold(use('reader'));
  expect(waited).toBeGreaterThanOrEqual(least);
  expect(waited).toBeLessThanOrEqual(most);
});

test('a store that takes nothing keeps nobody from restoring; one that is away is tried again', async () => {
  const failing = (type: 'Unauthorized' | 'NoSpace' | 'Unreachable'): BackupUses =>
    new BackupUses('orders', { ...target(), putAtOnce: () => Promise.reject(new RolloutError(type, 'no')) });
  await failing('Unauthorized').hold(use('reader'));
  await failing('NoSpace').hold(use('reader'));
  await expect(failing('Unreachable').hold(use('reader'))).rejects.toMatchObject({ type: 'Unreachable' });
  await expect(failing('NoSpace').whileRemoving('one', () => Promise.resolve())).rejects.toThrow('no');
});

test('what somebody else has put there is nobody’s use', async () => {
  const store = target();
  await store.putAtOnce('orders/in-use/notes.txt', Buffer.from('of a person'));
  await store.putAtOnce(`orders/in-use/${BACKUP}/run.json`, Buffer.from('{"format":2}'));
  expect(await new BackupUses('orders', store).all()).toEqual([]);
});
