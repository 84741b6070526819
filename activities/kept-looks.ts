import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { NodeLook, Watched } from '../model/assessment/survey.js';
import type { Unseen } from '../model/assessment/unseen.js';
import { writeWhole } from './write-whole.js';

/** What one look at all nodes saw, and what it was not shown. */
export interface Look {
  nodes: NodeLook[];
  watched: Watched[];
  unseen: Unseen[];
}

const FOLDER = 'looks';

/** In the operation's folder: a look of a large deployment is too much for a history. Taken again, it is written again. */
export async function keepLook(folder: string, name: string, look: Look): Promise<void> {
  const place = join(folder, FOLDER);
  await mkdir(place, { recursive: true, mode: 0o700 });
  await writeWhole(join(place, `${name}.json`), JSON.stringify(look));
}

/** In the order in which they were taken. */
export async function readLooks(folder: string): Promise<Look[]> {
  const place = join(folder, FOLDER);
  const names = (await readdir(place)).filter((name) => name.endsWith('.json')).sort();
  return Promise.all(names.map(async (name) => JSON.parse(await readFile(join(place, name), 'utf8')) as Look));
}
