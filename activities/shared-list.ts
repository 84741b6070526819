import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RolloutError } from '../model/failures.js';
import { locked } from '../platforms/process/lock.js';

/** A list of the deployment's, in a file of its state folder that all workers of the machine share. */
export interface SharedList<Entry> {
  /** @param folder of the deployment, `<state>/<deployment>` */
  read: (folder: string) => Promise<Entry[]>;
  /** Changes the list while nobody else does; shards are worked on side by side. */
  change: (folder: string, changed: (entries: Entry[]) => Entry[] | Promise<Entry[]>) => Promise<void>;
}

/** @param tells `which nodes are standbys`, for who has to put a broken file right */
export function sharedList<Entry>(name: string, tells: string): SharedList<Entry> {
  const file = `${name}.json`;
  const read = async (folder: string): Promise<Entry[]> => {
    const path = join(folder, file);
    try {
      return JSON.parse(await readFile(path, 'utf8')) as Entry[];
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return [];
      // It is never taken for empty: what it says nobody else knows.
      throw new RolloutError('Unreadable', `${path} can't be read: put it right, it says ${tells}`, { cause });
    }
  };
  return {
    read,
    change: async (folder, changed) => {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await locked(join(folder, `.${name}`), async () => {
        const path = join(folder, file);
        const text = `${JSON.stringify(await changed(await read(folder)), null, 2)}\n`;
        await writeFile(`${path}.partial`, text, { mode: 0o600 });
        await rename(`${path}.partial`, path);
      });
    },
  };
}
