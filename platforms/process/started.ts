import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { splitAddress } from '../../model/endpoint.js';
import type { PlatformNode } from '../platform.js';
import { ourFolder } from './fence.js';
import { replaceFile } from './files.js';
import {
  isServer,
  listening,
  processesAmong,
  processesIn,
  stillRuns,
  viewProcess,
  type ProcessView,
} from './processes.js';

/**
 * What was last started in a node's folder. Written before the process is spawned, without pid, and again with it:
 * should the worker die in between, a server found in that folder is the one that was meant.
 */
export interface Started {
  release: string;
  executable: string;
  pid?: number;
  started?: string;
}

const recordFile = (node: PlatformNode): string => join(ourFolder(node), 'started.json');

/** The pid file that we write beside the dataset. Redis writes one only when told to. */
export const pidFile = (node: PlatformNode): string => join(node.home, 'redis.pid');

export async function readStarted(node: PlatformNode): Promise<Started | undefined> {
  const text = await readFile(recordFile(node), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as Started;
  } catch {
    return undefined;
  }
}

export async function writeStarted(node: PlatformNode, record: Started): Promise<void> {
  await replaceFile(recordFile(node), `${JSON.stringify(record)}\n`);
  if (record.pid !== undefined) await replaceFile(pidFile(node), `${record.pid}\n`, 0o644);
}

/**
 * The process that serves a node, whoever started it: the one of our record, else a server that works in the node's
 * folder and listens on its port, or on none (it starts or ends). A pid alone proves nothing: it may be reused.
 */
export async function findProcess(node: PlatformNode): Promise<{ view: ProcessView; ours?: Started } | undefined> {
  const record = await readStarted(node);
  if (record?.pid !== undefined && record.started !== undefined) {
    const view = await viewProcess(record.pid);
    if (view?.started === record.started) return { view, ours: record };
  }
  const written = Number(await readFile(pidFile(node), 'utf8').catch(() => ''));
  const hints = [written, node.pid ?? 0, record?.pid ?? 0];
  // Who is known to serve spares a look at every process of the machine.
  const [known] = (await amongThose(node, await processesAmong(node.home, hints))).here;
  if (known) return adopt(known, record);
  const inside = await processesIn(node.home, hints);
  const { here, elsewhere } = await amongThose(node, inside);
  const [serving] = here;
  if (serving) return adopt(serving, record);
  for (const view of inside) if (!elsewhere.includes(view) && (await isServer(view.pid))) return adopt(view, record);
  return undefined;
}

/** Which of them listen on the node's port, and which on another. */
async function amongThose(
  node: PlatformNode,
  inside: readonly ProcessView[],
): Promise<{ here: ProcessView[]; elsewhere: ProcessView[] }> {
  const pids = inside.map(({ pid }) => pid);
  const found = await listening(pids, portOf(node));
  return {
    here: inside.filter(({ pid }) => found.here.includes(pid)),
    elsewhere: inside.filter(({ pid }) => found.elsewhere.includes(pid)),
  };
}

/** Is it over with a process that was seen? */
export const isGone = async (view: ProcessView): Promise<boolean> => !(await stillRuns(view));

export const portOf = (node: PlatformNode): number => splitAddress(node.address).port;

export const hostOf = (node: PlatformNode): string => splitAddress(node.address).host;

/** A record without pid was written moments before its process was: this is it. With another pid, it is somebody's. */
const adopt = (view: ProcessView, record: Started | undefined): { view: ProcessView; ours?: Started } =>
  record !== undefined && record.pid === undefined && record.executable !== '' ? { view, ours: record } : { view };
