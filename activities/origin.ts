import { RolloutError } from '../model/failures.js';
import { satisfies } from '../model/release.js';
import type { NodePlace } from '../model/work.js';
import { ownLine } from '../redis/standby/cluster-file.js';
import { meetAnew } from '../redis/standby/meet-anew.js';
import { readAccounts } from '../redis/topology.js';
import { readBefore, readOrigin, settingsOf, type Before } from './before.js';
import { platformNode, type Context } from './context.js';
import { inHome } from './places.js';

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

/** Others hear it, and it hears them, on the release that it went back to. */
export async function heardAgain(context: Context, place: NodePlace, release: string): Promise<void> {
  const { endpoint, deployment, signal } = context;
  const { accounts } = await readAccounts(endpoint, [place.address, ...deployment.seeds]);
  const { id } = await ownEntry(context, place);
  await meetAnew({ endpoint, node: { id, address: place.address }, signal }, { release, accounts });
}

/** What a server would start on: its snapshot, and the append-only files that it would prefer to it. */
export function datasetFiles({ datasetFile }: NodePlace, { running }: Pick<Before, 'running'>): string[] {
  const files = [datasetFile, running['appendfilename'] ?? '', running['appenddirname'] ?? '', 'appendonlydir'];
  return [...new Set(files.filter((name) => name !== ''))];
}

/**
 * Who a node that has ended is in the cluster, by its nodes.conf.
 *
 * @returns where that is, and what it says as CLUSTER NODES would
 */
export async function ownEntry(
  { platform }: Context,
  place: NodePlace,
): Promise<{ path: string; id: string; nodes: string }> {
  const path = inHome(place, place.clusterFile);
  const text = await platform.readFile(platformNode(place), { path });
  const nodes = (text ?? '')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('vars '))
    .join('\n');
  if (nodes === '')
    throw new RolloutError('Stopped', `${place.address} has no ${path}: who it is in the cluster is not known`);
  return { path, id: ownLine(nodes).owner, nodes };
}
