import { RolloutError } from '../model/failures.js';
import { isSilent } from '../redis/connection.js';
import { readInfo } from '../redis/node.js';
import { platformNode, type Context } from './context.js';
import { placeOfStandby, type StandbyEntry } from './standby-registry.js';

/**
 * Is the folder of a standby not there, though its machine is? It was never made, somebody has deleted it, or the cluster
 * that it belonged to is no more, and another has its name now.
 */
export async function hasNoFolder({ platform }: Pick<Context, 'platform'>, entry: StandbyEntry): Promise<boolean> {
  try {
    await platform.inspect(platformNode(placeOfStandby(entry)));
    return false;
  } catch (error) {
    const { code } = (error instanceof RolloutError ? (error.cause ?? {}) : {}) as NodeJS.ErrnoException;
    // Whoever may not look into it knows nothing of it.
    if (code === 'ENOENT') return true;
    throw error;
  }
}

/**
 * A server whose folder was deleted runs on, and has what it had. What it was started on tells that it is this one, and no
 * node of a cluster that was made since.
 */
export async function stillRuns(
  { connect }: Pick<Context, 'connect'>,
  { address, configurationFile }: StandbyEntry,
): Promise<boolean> {
  try {
    await using connection = await connect(address);
    return (await readInfo(connection, 'server'))['config_file'] === configurationFile;
  } catch (error) {
    // A stranger lets nobody in.
    if (isSilent(error) || (error instanceof RolloutError && error.type === 'Unauthorized')) return false;
    throw error;
  }
}

/** Neither folder nor server: there is nothing left of it, and nothing to wait for. */
export const isGone = async (context: Pick<Context, 'connect' | 'platform'>, entry: StandbyEntry): Promise<boolean> =>
  (await hasNoFolder(context, entry)) && !(await stillRuns(context, entry));

export const goneText = ({ home }: StandbyEntry): string =>
  `its folder ${home} is not there any more, and nobody answers in its place`;
