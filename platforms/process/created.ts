import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, rmdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { addressOf } from '../../model/endpoint.js';
import { RolloutError } from '../../model/failures.js';
import type { FencingToken, PlatformNode } from '../platform.js';
import { fenced } from './fence.js';
import { replaceFile, syncFolder } from './files.js';
import { accepts, listenersOf } from './processes.js';
import { hostOf, portOf } from './started.js';
import { stopServer } from './stop.js';

/** Lies in a folder that we made: whatever else is in there is ours to take away again. */
const MARK = '.rollout-created.json';
const LAST_PORT = 65_535;

/**
 * Where a new node could live beside another: on its machine, in a folder named after its own; where we made one already,
 * that one. Of ports the next higher one that is free now, with all its offsets.
 *
 * @throws RolloutError BadInput where no port is left
 */
export async function siteBeside(
  node: PlatformNode,
  { name, offsets, taken }: { name: string; offsets: readonly number[]; taken: readonly number[] },
): Promise<PlatformNode> {
  const home = `${node.home.replace(/\/+$/, '')}-${name}`;
  const made = await readMark(home);
  return {
    address: made ?? addressOf({ host: hostOf(node), port: await freePort(node, offsets, taken) }),
    home,
    configurationFile: join(home, 'redis.conf'),
    logFile: join(home, 'redis.log'),
  };
}

/** Makes the folder of a new node, all of it or nothing; one that is there must be one that we made for this address. */
export async function makeHome(node: PlatformNode): Promise<void> {
  const staging = `${node.home}.new-${randomUUID()}`;
  await mkdir(staging, { mode: 0o700 });
  try {
    await replaceFile(join(staging, MARK), `${JSON.stringify({ address: node.address })}\n`);
    await rename(staging, node.home);
    await syncFolder(dirname(node.home));
  } catch (error) {
    await rm(staging, { recursive: true, force: true });
    // Onto a folder that isn't empty nothing can be renamed.
    if (!['ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    const made = await readMark(node.home);
    if (made !== node.address)
      throw new RolloutError(
        'BadInput',
        made === undefined
          ? `${node.address}: ${node.home} is there and was not made by us: move it away, then a node can be created there`
          : `${node.address}: ${node.home} is the folder of ${made} already`,
      );
  }
}

/**
 * Stops a node that we made, and takes its folder away; done where there is none. The mark goes last: an attempt that died
 * has left it, or a folder without anything in it.
 *
 * @throws RolloutError BadInput where somebody else made the folder
 */
export async function removeHome(node: PlatformNode, token: FencingToken, stopTimeout: number): Promise<void> {
  const found = await namesIn(node.home);
  if (found === undefined) return;
  if (found.length > 0) {
    const made = await readMark(node.home);
    if (made !== node.address)
      throw new RolloutError(
        'BadInput',
        `${node.address}: ${node.home} ${made === undefined ? 'was not made by us' : `is the folder of ${made}`}, so it is not removed`,
      );
    await stopServer(node, token, { terminate: true, stopTimeout });
    await fenced(node, token, async () => {
      for (const name of (await namesIn(node.home)) ?? [])
        if (name !== MARK) await rm(join(node.home, name), { recursive: true, force: true });
      await rm(join(node.home, MARK), { force: true });
    });
  }
  await rmdir(node.home).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  });
  // What attempts that died had begun to make.
  const begun = `${basename(node.home)}.new-`;
  for (const name of (await namesIn(dirname(node.home))) ?? [])
    if (name.startsWith(begun)) await rm(join(dirname(node.home), name), { recursive: true, force: true });
  await syncFolder(dirname(node.home));
}

async function namesIn(folder: string): Promise<string[] | undefined> {
  try {
    return await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** The address of the node that we made a folder for. */
async function readMark(home: string): Promise<string | undefined> {
  const text = await readFile(join(home, MARK), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  return (JSON.parse(text) as { address: string }).address;
}

async function freePort(node: PlatformNode, offsets: readonly number[], taken: readonly number[]): Promise<number> {
  const highest = Math.max(...offsets);
  for (let port = portOf(node) + 1; port + highest <= LAST_PORT; port++) {
    const wanted = offsets.map((offset) => port + offset);
    if (wanted.some((it) => taken.includes(it))) continue;
    const free = await Promise.all(wanted.map((it) => isFree(hostOf(node), it)));
    if (!free.includes(false)) return port;
  }
  throw new RolloutError(
    'BadInput',
    `no port above ${portOf(node)} is free on ${hostOf(node)} together with ${offsets
      .filter((it) => it > 0)
      .map((it) => `+${it}`)
      .join(', ')}`,
  );
}

/** Nobody of this machine listens there, and nobody answers. */
async function isFree(host: string, port: number): Promise<boolean> {
  return (await listenersOf(port)).length === 0 && !(await accepts(host, port));
}
