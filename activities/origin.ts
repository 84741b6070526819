import { RolloutError } from '../model/failures.js';
import { satisfies } from '../model/release.js';
import type { NodePlace } from '../model/work.js';
import { readBefore, readOrigin, settingsOf, type Before } from './before.js';
import type { Context } from './context.js';

/** How it ran before the upgrade. What is known of its dataset then is of no use any more. */
export async function originOf(context: Context, place: NodePlace, to: string): Promise<Before> {
  const known = (await readOrigin(context, place)) ?? (await readBefore(context, place));
  if (!known)
    throw new RolloutError(
      'Stopped',
      `nothing is known of ${place.address} as it was before the upgrade: its folder ${place.home} was changed by somebody else`,
    );
  if (!satisfies(known.release, to))
    throw new RolloutError('Stopped', `${place.address} ran ${known.release} before the upgrade, and not ${to}`);
  return settingsOf(known);
}

/** What a server would start on: its snapshot, and the append-only files that it would prefer to it. */
export function datasetFiles({ datasetFile }: NodePlace, { running }: Pick<Before, 'running'>): string[] {
  const files = [datasetFile, running['appendfilename'] ?? '', running['appenddirname'] ?? '', 'appendonlydir'];
  return [...new Set(files.filter((name) => name !== ''))];
}
