import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { readFileWhole } from '../integrations/deployment-files.js';
import type { Deployment, DeploymentFile } from '../model/deployment.js';
import { RolloutError } from '../model/failures.js';
import { copyName } from '../model/names.js';
import type { StagingMask } from '../model/staging-policy.js';
import type { SlotRange } from '../model/topology.js';
import { clusterFiles } from '../redis/cluster-files.js';
import { Mask } from '../redis/mask/mask.js';
import { replace } from './probe.js';
import { freeClusterPort } from './scratch-process.js';

/** In the directory: which rehearsal it is of, and its nodes; written before any of them is made. */
const COPY = 'copy.json';
const PASSWORD = 'password';
/** What keys and values are masked with: with it somebody could tell what a mask stands for. It goes with the copy. */
const SECRET = 'mask';
/** In the first line of a deployment file that we wrote. */
const MARK = '# The copy that `rollout staging` rehearses on';

export interface CopyNode {
  shard: string;
  slots: SlotRange[];
  port: number;
  address: string;
  home: string;
  /** Port of its primary; absent for a primary. */
  replicaOf?: number;
  /** nodes.conf, as it is started with at first. */
  cluster: string;
}

export interface CopySite {
  staging: string;
  release: string;
  nodes: CopyNode[];
  /** As it was when the copy was begun: what is loaded and what is compared have to be masked alike. */
  mask?: StagingMask;
}

export const directoryOf = ({ name, staging, backup }: Deployment): string =>
  staging.directory ?? join(backup.directory, '_staging', name);

/** The copy that is there, or was begun. */
export async function readSite(deployment: Deployment): Promise<CopySite | undefined> {
  const text = await readFile(join(directoryOf(deployment), COPY), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as CopySite);
}

/** Draws up the nodes of a copy, and notes them: whoever is to take it away finds them by that. */
export async function drawSite(
  deployment: Deployment,
  about: { staging: string; release: string; shards: readonly { shard: string; slots: SlotRange[] }[] },
): Promise<CopySite> {
  const { staging, release, shards } = about;
  const directory = directoryOf(deployment);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await writeFile(join(directory, PASSWORD), randomBytes(24).toString('hex'), { mode: 0o600 });
  await writeFile(join(directory, SECRET), randomBytes(32), { mode: 0o600 });
  const nodes: Omit<CopyNode, 'cluster'>[] = [];
  const add = async (shard: string, slots: SlotRange[], replicaOf?: number): Promise<number> => {
    const port = await freeClusterPort(new Set(nodes.map((it) => it.port)));
    const node = { shard, slots, port, address: `127.0.0.1:${port}`, home: join(directory, String(port)) };
    nodes.push({ ...node, ...(replicaOf === undefined ? {} : { replicaOf }) });
    return port;
  };
  for (const { shard, slots } of shards) {
    const primary = await add(shard, slots);
    for (let i = 0; i < deployment.staging.replicas; i++) await add(shard, slots, primary);
  }
  const files = clusterFiles(nodes, release);
  const { mask } = deployment.staging;
  const site = {
    ...{ staging, release, nodes: nodes.map((node, i) => ({ ...node, cluster: files[i] ?? '' })) },
    ...(mask === undefined ? {} : { mask }),
  };
  await replace(join(directory, COPY), JSON.stringify(site));
  return site;
}

/** Once its nodes are gone. */
export async function forgetSite(deployment: Deployment, deployments: string): Promise<void> {
  await expectOurs(deployment.name, deployments);
  await rm(fileOf(deployment.name, deployments), { force: true });
  await rm(directoryOf(deployment), { recursive: true, force: true });
}

/** Directives of production that decide how fast a node is and what it keeps: the copy runs with them, too. */
const CARRIED =
  /^(maxmemory|maxmemory-policy|maxmemory-samples|appendonly|appendfsync|hz|dynamic-hz|io-threads|io-threads-do-reads|activedefrag|lazyfree-.*|.*-max-(ziplist|listpack|intset)-.*|list-compress-depth|active-expire-effort|repl-backlog-size|activerehashing|jemalloc-bg-thread|rdbcompression)$/;

/** redis.conf of a node of the copy. @param running CONFIG GET of a primary of production */
export function configurationOf(
  { port, home }: CopyNode,
  {
    running,
    password,
    nodeTimeoutMs,
  }: {
    running: Readonly<Record<string, string>>;
    password: string;
    nodeTimeoutMs: number;
  },
): string {
  const carried = Object.entries(running).filter(([name, value]) => CARRIED.test(name) && value !== '');
  return [
    ...[`port ${port}`, 'bind 127.0.0.1', `dir "${home}"`, 'logfile "redis.log"', 'daemonize no', 'save ""'],
    ...[`requirepass ${password}`, `masterauth ${password}`],
    ...['cluster-enabled yes', `cluster-node-timeout ${nodeTimeoutMs}`, 'repl-diskless-sync-delay 0'],
    ...carried.map(([name, value]) => `${name} "${value}"`),
    '',
  ].join('\n');
}

export const passwordOf = (deployment: Deployment): Promise<string> =>
  readFile(join(directoryOf(deployment), PASSWORD), 'utf8');

/** What the copy's keys and values are masked with, where they are. @throws RolloutError Stopped where there is no copy */
export async function maskOf(deployment: Deployment): Promise<Mask | undefined> {
  const site = await readSite(deployment);
  if (!site) throw new RolloutError('Stopped', `there is no copy of ${deployment.name} in ${directoryOf(deployment)}`);
  return site.mask && new Mask(await readFile(join(directoryOf(deployment), SECRET)), site.mask);
}

/** People of production don't decide on a copy of it, nor do its windows hold, and its metrics speak of other nodes. */
const productionsOwn: ReadonlySet<string> = new Set<keyof NonNullable<DeploymentFile['policy']>>([
  ...(['staging', 'windows', 'freeze', 'fallbackWhen', 'people', 'roles', 'approvals'] as const),
]);
const STAGING_ROLE = 'staging';

/**
 * Writes the copy's deployment file: the policy is production's, so that the upgrade goes as it will there, with a way back
 * to rehearse. The rehearsal itself answers when it asks to be finalized.
 *
 * @param soak production's canary, and the soak of `staging`; otherwise none
 */
export async function writeCopyFile(
  deployment: Deployment,
  { deployments, seeds, soak }: { deployments: string; seeds: readonly string[]; soak: boolean },
): Promise<void> {
  const { name, staging } = deployment;
  await expectOurs(name, deployments);
  const { policy = {}, platform } = parse(await readFileWhole(name, deployments)) as DeploymentFile;
  const { gates = {}, ...own } = policy;
  const ours = Object.fromEntries(Object.entries(gates).filter(([name]) => name !== 'prometheus'));
  const kept = Object.entries(own).filter(([field]) => !productionsOwn.has(field));
  const directory = directoryOf(deployment);
  const file: DeploymentFile = {
    ...{ name: copyName(name), topology: 'cluster', seeds: [...seeds], platform },
    credentials: { password: `file:${join(directory, PASSWORD)}` },
    backup: { directory: join(directory, 'backups') },
    policy: {
      ...{ ...Object.fromEntries(kept), gates: ours, fallback: 'standby' },
      ...(soak ? { soak: `${staging.soak}ms` } : { soak: '0s', canarySoak: '0s' }),
      roles: { [STAGING_ROLE]: [STAGING_ROLE] },
      approvals: { finalize: { roles: [STAGING_ROLE], expires: '3650d', selfApproval: true } },
    },
  };
  await replace(
    fileOf(name, deployments),
    `${MARK} for ${name}; it goes with the copy.\n${JSON.stringify(file, null, 2)}\n`,
  );
}

const fileOf = (name: string, deployments: string): string => join(deployments, `${copyName(name)}.yaml`);

/** @throws RolloutError BadInput where somebody else's file has the copy's name */
export async function expectOurs(name: string, deployments: string): Promise<void> {
  const text = await readFile(fileOf(name, deployments), 'utf8').catch(() => undefined);
  if (text === undefined || text.startsWith(MARK)) return;
  throw new RolloutError(
    'BadInput',
    `${fileOf(name, deployments)} is there and was not written by a rehearsal: a copy of ${name} would be called so. Call that deployment something else`,
  );
}
