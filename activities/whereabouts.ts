import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RolloutError } from '../model/failures.js';
import type { NodePlace } from '../model/work.js';
import { isSilent } from '../redis/connection.js';
import type { Context } from './context.js';
import { placeOf } from './places.js';

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
    await mkdir(folderOf(context), { recursive: true, mode: 0o700 });
    await writeFile(`${path}.partial`, JSON.stringify(place), { mode: 0o600 });
    await rename(`${path}.partial`, path);
    return place;
  } catch (error) {
    if (!isSilent(error)) throw error;
    const noted = await read(path, error);
    // Its process may be another one by now.
    delete noted.pid;
    return noted;
  }
}

/** Once nothing is to be done to it any more. */
export const forgetWhereItIs = (context: Context, address: string): Promise<void> =>
  rm(fileOf(context, address), { force: true });

const folderOf = ({ deploymentFolder }: Context): string => join(deploymentFolder, 'whereabouts');

const fileOf = (context: Context, address: string): string =>
  join(folderOf(context), `${address.replace(/[^\w.-]/g, '_')}.json`);

async function read(path: string, cause: RolloutError): Promise<NodePlace> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as NodePlace;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new RolloutError(
      'Stopped',
      `${cause.message}; and where it lives was noted by nobody: start its server by hand, as it was`,
      { cause },
    );
  }
}
