// A folder that whoever removes its last file takes away, just as another begins to write there, or as it is listed.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { folderTarget } from '../../integrations/folder-target.js';

test('some write into folders that others empty: nobody fails, and what lies beside is listed each time', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'redis-rollout-folder-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const target = folderTarget(folder);
  await target.putAtOnce('orders/in-use/stays', Buffer.from('x'));
  let over = false;
  let listed = 0;
  const lister = async (): Promise<void> => {
    for (; !over; listed++) expect(await target.list('orders/')).toContain('orders/in-use/stays');
  };
  const writer = async (name: string): Promise<void> => {
    for (let i = 0; i < 150; i++) {
      await target.putAtOnce(`orders/in-use/removal/now/${name}`, Buffer.from('x'));
      await target.remove(`orders/in-use/removal/now/${name}`);
    }
  };
  const listing = [lister(), lister()];
  await Promise.all(['a', 'b', 'c', 'd'].map(writer)).finally(() => (over = true));
  await Promise.all(listing);
  expect(listed).toBeGreaterThan(50);
  expect(await target.list('orders/')).toEqual(['orders/in-use/stays']);
}, 120_000);
