import { olderLine } from '../model/compatibility/release-lines.js';
import { standbyConfiguration, type StandbyConfigurationInput } from '../model/configuration/standby.js';
import { formatSize } from '../model/duration.js';
import { splitAddress } from '../model/endpoint.js';
import { RolloutError } from '../model/failures.js';
import type { NodePlace } from '../model/work.js';
import type { StartInput } from '../platforms/platform.js';
import { readConfiguration } from '../redis/configuration.js';
import type { NodeConnection } from '../redis/connection.js';
import { datasetBytes } from '../redis/info.js';
import { readInfo } from '../redis/node.js';
import { readAccounts } from '../redis/topology.js';
import { readOrigin } from './before.js';
import { platformNode, type Context } from './context.js';
import { placeOf } from './places.js';
import { changeRegistry, needStandby, placeOfStandby, type StandbyEntry } from './standby-registry.js';

/** Of a home's standby, in the name of its folder. */
const NAME = 'standby';
/** How the primary ran when its standby was made, beside the standby: holds secrets, and outlives the primary's release. */
const BASE = 'base';
/** The registry's entry once more, beside the standby: a worker that has lost its state folder finds it by that. */
const ENTRY = 'entry';
const BUS = 10_000;
/** Allocators and buffers beside what the primary has in use. */
const MEMORY_FACTOR = 1.1;
/** The file that it is given, or has, and the one that it writes in its place. */
const DATASET_FILES = 2;

type Base = Omit<StandbyConfigurationInput, 'as'>;

/**
 * Where a shard's standby lives: noted before anything of it is made, on the machine of the primary, with room for it.
 *
 * @returns also what an earlier operation made there and nobody knew of any more
 * @throws RolloutError NoSpace, NoMemory, Stopped
 */
export async function siteStandby(
  context: Context,
  { shard, primary }: { shard: string; primary: string },
): Promise<{ entry: StandbyEntry; leftBehind: boolean }> {
  await using upstream = await context.connect(primary);
  const place = { ...(await placeOf(upstream)), pending: false };
  const info = await readInfo(upstream);
  mustBePrimary(primary, info);
  const base = await baseOf(context, upstream, place);
  const { memberAddresses } = await readAccounts(context.endpoint, context.deployment.seeds);
  let leftBehind = false;
  await changeRegistry(context.deploymentFolder, async (entries) => {
    if (entries.some((it) => it.shard === shard)) return entries;
    const others = [...memberAddresses, ...entries.map(({ address }) => address)].map((it) => splitAddress(it).port);
    const node = await context.platform.siteBeside(platformNode(place), {
      name: NAME,
      offsets: [0, BUS, ...(base.own.otherPort === undefined ? [] : [1, BUS + 1])],
      taken: others.flatMap((port) => [port, port + BUS]),
    });
    const text = await context.platform.recall(node, { name: ENTRY });
    if (text !== undefined) {
      leftBehind = true;
      return [...entries, { ...(JSON.parse(text) as StandbyEntry), shard }];
    }
    const origin = await readOrigin(context, place);
    if (origin && olderLine(origin.release, place.release))
      throw new RolloutError(
        'Stopped',
        `${primary} runs ${place.release} already: a standby of ${origin.release} can't sync from it, so ${shard} has no way back without loss`,
      );
    const bytes = await roomFor(context, place, info, entries);
    const entry: StandbyEntry = {
      ...{ shard, state: 'syncing', address: node.address, home: node.home, release: place.release, bytes },
      ...{ configurationFile: node.configurationFile, datasetFile: place.datasetFile, clusterFile: 'nodes.conf' },
      ...(node.logFile === undefined ? {} : { logFile: node.logFile }),
      serveWith: configured(context, base, node, 'member').serveWith,
    };
    return [...entries, entry];
  });
  return { entry: await needStandby(context.deploymentFolder, shard), leftBehind };
}

/** Keeps the registry's entry beside the standby too, once its folder is there. */
export async function rememberEntry(context: Context, shard: string): Promise<void> {
  const entry = await needStandby(context.deploymentFolder, shard);
  await context.platform.remember(platformNode(placeOfStandby(entry)), context.token, {
    name: ENTRY,
    text: JSON.stringify(entry),
  });
}

/** Has it been up before? What was noted beside it then says so. */
export const startedBefore = async ({ platform }: Context, entry: StandbyEntry): Promise<boolean> =>
  (await platform.recall(platformNode(placeOfStandby(entry)), { name: ENTRY })) !== undefined;

/** What the standby is started with; of a primary that was upgraded meanwhile, what it ran before. */
export async function startInputFor(
  context: Context,
  entry: StandbyEntry,
  { primary, as }: { primary: string; as: 'replica' | 'member' | 'serving' },
): Promise<StartInput> {
  const node = platformNode(placeOfStandby(entry));
  const known = await context.platform.recall(node, { name: BASE });
  await using upstream = await context.connect(primary);
  const base =
    known === undefined
      ? await baseOf(context, upstream, { ...(await placeOf(upstream)), pending: false })
      : (JSON.parse(known) as Base);
  const { file, aclFile } = configured(
    context,
    base,
    node,
    as === 'replica' ? { replicaOf: await replicationAddress(upstream) } : as,
  );
  return {
    release: entry.release,
    configuration: file,
    files: aclFile === undefined ? [] : [{ path: `${entry.home}/users.acl`, text: aclFile }],
    arguments: [],
  };
}

/** Keeps how the primary runs beside its standby, as long as it runs so. */
export async function rememberBase(context: Context, entry: StandbyEntry, primary: string): Promise<void> {
  await using upstream = await context.connect(primary);
  const place = { ...(await placeOf(upstream)), pending: false };
  if (place.release !== entry.release) return;
  await context.platform.remember(platformNode(placeOfStandby(entry)), context.token, {
    name: BASE,
    text: JSON.stringify(await baseOf(context, upstream, place)),
  });
}

/** Where a replica of it connects to, which isn't where clients do where only they use TLS. */
export async function replicationAddress(primary: NodeConnection): Promise<{ host: string; port: number }> {
  const { host, port } = splitAddress(primary.address);
  const { running } = await readConfiguration(primary);
  const own = Number(running[running['tls-replication'] === 'yes' ? 'tls-port' : 'port'] ?? 0);
  return { host, port: own > 0 ? own : port };
}

export function mustBePrimary(address: string, info: Record<string, string>): void {
  if (info['role'] === 'master') return;
  throw new RolloutError(
    'RolesUnsettled',
    `${address} is no primary any more: its standby is made from whoever serves the shard now`,
  );
}

async function baseOf({ platform, endpoint }: Context, primary: NodeConnection, place: NodePlace): Promise<Base> {
  const { running, acl } = await readConfiguration(primary);
  const ports = [Number(running['port'] ?? 0), Number(running['tls-port'] ?? 0)];
  return {
    ...{ file: await platform.readConfiguration(platformNode(place)), running, acl, release: place.release },
    primaryHome: place.home,
    own: {
      ...{ home: '', logFile: '', clusterFile: 'nodes.conf', port: 0, tls: endpoint.tls !== undefined },
      ...(ports.every((port) => port > 0) ? { otherPort: 0 } : {}),
    },
  };
}

function configured(
  { endpoint }: Context,
  base: Base,
  node: { address: string; home: string; logFile?: string },
  as: 'member' | 'serving' | { replicaOf: { host: string; port: number } },
): ReturnType<typeof standbyConfiguration> {
  const { port } = splitAddress(node.address);
  const { username, password } = endpoint;
  return standbyConfiguration({
    ...base,
    own: {
      ...base.own,
      ...{ home: node.home, logFile: node.logFile ?? '', port },
      ...(base.own.otherPort === undefined ? {} : { otherPort: port + 1 }),
    },
    as:
      typeof as === 'string'
        ? as
        : {
            replicaOf: {
              ...as.replicaOf,
              ...(username === undefined ? {} : { username }),
              ...(password === undefined ? {} : { password }),
            },
          },
  });
}

/** What it is going to need must be free, beside what others need that were promised theirs. */
async function roomFor(
  { platform, deployment }: Context,
  place: NodePlace,
  info: Record<string, string>,
  entries: readonly StandbyEntry[],
): Promise<number> {
  const bytes = Math.ceil(Number(info['used_memory'] ?? 0) * MEMORY_FACTOR);
  const file = datasetBytes(info) * DATASET_FILES;
  const { host } = splitAddress(place.address);
  const promised = entries
    .filter((it) => it.state === 'syncing' && splitAddress(it.address).host === host)
    .reduce((sum, it) => sum + it.bytes, 0);
  const { diskFree, memoryFree } = await platform.resources(platformNode(place));
  const what = `the standby of ${place.address} (${deployment.name})`;
  if (memoryFree < bytes + promised)
    throw new RolloutError(
      'NoMemory',
      `${what} needs ${formatSize(bytes)} of memory on ${host}${promised > 0 ? `, beside ${formatSize(promised)} of other standbys that are being synced` : ''}; ${formatSize(memoryFree)} are free`,
    );
  if (diskFree < file)
    throw new RolloutError(
      'NoSpace',
      `${what} needs ${formatSize(file)} on the disk of ${place.home}, for its dataset and the one that it writes in its place; ${formatSize(diskFree)} are free`,
    );
  return bytes;
}
