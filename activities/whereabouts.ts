import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { RolloutError } from '../model/failures.js';
import type { NodePlace } from '../model/work.js';
import { isSilent } from '../redis/connection.js';
import type { Context } from './context.js';
import { placeOf } from './places.js';
import { writeWhole } from './write-whole.js';

/**
 * Where a node lives, which it says itself while it answers. Noted in the deployment's folder from then on: an attempt
 * that ends a node and dies leaves a node that can't say it.
 *
 * @throws RolloutError Stopped where it doesn't answer and nobody has noted it
 */
export async function whereItIs(context: Context, address: string): Promise<NodePlace> {
  const path = fileOf(context, address);
  try {
    await using node = await context.connect(address);
    const place = { ...(await placeOf(node)), pending: false };
    const { beside } = (await read(path)) ?? {};
    await write(context, { ...place, ...(beside ? { beside } : {}) });
    return place;
  } catch (error) {
    if (!isSilent(error)) throw error;
    const noted = await read(path);
    if (!noted)
      throw new RolloutError(
        'Stopped',
        `${error.message}; and where it lives was noted by nobody: start its server by hand, as it was`,
        { cause: error },
      );
    return withoutPid(noted);
  }
}

/** Notes where a shard's nodes live, and that they are of one shard: none of them may be able to tell later on. */
export async function noteWhereabouts(context: Context, places: readonly NodePlace[]): Promise<void> {
  const beside = places.map(({ address }) => address);
  for (const place of places) await write(context, { ...place, beside });
}

/** Nodes that a node was in one shard with when it was noted. */
export async function notedBeside(context: Context, address: string): Promise<string[]> {
  return (await read(fileOf(context, address)))?.beside ?? [];
}

/** Once nothing is to be done to it any more. */
export const forgetWhereItIs = (context: Context, address: string): Promise<void> =>
  rm(fileOf(context, address), { force: true });

type Noted = NodePlace & { beside?: string[] };

/** Its process may be another one by now. */
function withoutPid(noted: Noted): NodePlace {
  const place = { ...noted };
  delete place.pid;
  delete place.beside;
  return place;
}

async function write(context: Context, noted: Noted): Promise<void> {
  const path = fileOf(context, noted.address);
  await mkdir(folderOf(context), { recursive: true, mode: 0o700 });
  await writeWhole(path, JSON.stringify(noted));
}

const folderOf = ({ deploymentFolder }: Context): string => join(deploymentFolder, 'whereabouts');

const fileOf = (context: Context, address: string): string =>
  join(folderOf(context), `${address.replace(/[^\w.-]/g, '_')}.json`);

async function read(path: string): Promise<Noted | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Noted;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
