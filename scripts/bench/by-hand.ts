import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findServers, newestFor } from '../../platforms/process/servers.js';
import { parseInfo } from '../../redis/info.js';
import { spawnServer, until, type Sandbox, type SandboxNode } from '../sandbox/cluster.js';

/** What is waited for longest by hand: gigabytes to load on a busy machine. */
const PATIENCE_MS = 600_000;

/** Path of the newest server at hand of a release. */
export async function serverOf(release: string): Promise<string> {
  const servers = await findServers();
  const newest = newestFor(servers.keys(), release);
  const path = newest === undefined ? undefined : servers.get(newest);
  if (path === undefined) throw new Error(`no server of ${release} is at hand: run \`npm run setup\``);
  return path;
}

/** Starts a release in a node's folder on the configuration that it has. */
export async function startByHand({ home }: SandboxNode, program: string): Promise<void> {
  const { pid } = await spawnServer(home, program);
  await writeFile(join(home, 'redis.pid'), `${pid ?? 0}\n`);
}

/** Ends a node, by SHUTDOWN or as an operator does it, and waits until its process is gone. */
export async function end(cluster: Sandbox, node: SandboxNode, how: 'SAVE' | 'NOSAVE' | 'SIGTERM'): Promise<void> {
  const pid = Number((await infoOf(cluster, node))['process_id']);
  if (how === 'SIGTERM') process.kill(pid, how);
  else {
    await using connection = await cluster.connect(node, { timeoutMs: PATIENCE_MS });
    // It ends the connection instead of answering.
    await connection.call('SHUTDOWN', how).catch(() => undefined);
  }
  await until(`${node.address} has ended`, () => !alive(pid), PATIENCE_MS);
}

function alive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** INFO and CLUSTER INFO of one node. */
export async function infoOf(cluster: Sandbox, node: SandboxNode): Promise<Record<string, string>> {
  await using connection = await cluster.connect(node, { timeoutMs: PATIENCE_MS });
  const [info, state] = [await connection.call('INFO'), await connection.call('CLUSTER', 'INFO')];
  return { ...parseInfo(String(info)), ...parseInfo(String(state)) };
}

/** A manual failover is given up by the server after 5 s, whatever it answered (`CLUSTER_MF_TIMEOUT`). */
const GIVEN_UP_MS = 6000;

/** CLUSTER FAILOVER, again where its OK came to nothing, as a person would. */
export async function failOver(cluster: Sandbox, replica: SandboxNode): Promise<void> {
  let asked = -Infinity;
  await until(
    `${replica.address} is primary`,
    async () => {
      if ((await infoOf(cluster, replica))['role'] === 'master') return true;
      if (Date.now() - asked < GIVEN_UP_MS) return false;
      asked = Date.now();
      await using connection = await cluster.connect(replica);
      await connection.call('CLUSTER', 'FAILOVER');
      return false;
    },
    60_000,
  );
}

/** Waits until a node has loaded and replicates. */
export const linked = (cluster: Sandbox, node: SandboxNode): Promise<void> =>
  until(
    `${node.address} has loaded and follows its primary`,
    async () => (await infoOf(cluster, node))['master_link_status'] === 'up',
    PATIENCE_MS,
  );
