import { readFile, stat } from 'node:fs/promises';
import type { ProcessPlatform } from '../../model/deployment.js';
import { RolloutError } from '../../model/failures.js';
import type { Platform, PlatformNode, PlatformState } from '../platform.js';
import { makeHome, removeHome, siteBeside } from './created.js';
import { forget, recall, remember } from './documents.js';
import { fenced } from './fence.js';
import { bringFileIn, dropKept, keepFiles, labelPath, restoreFiles, setFilesAside } from './kept.js';
import { logTail } from './log.js';
import { executableOf } from './processes.js';
import { diskAt, memoryHere } from './room.js';
import { findServers } from './servers.js';
import { startServer, writeConfiguration } from './start.js';
import { findProcess, readStarted } from './started.js';
import { stopServer } from './stop.js';

/**
 * Nodes as processes of this machine, each with its folder, configuration file and log. They outlive the worker, and
 * whatever it did is found again by looking at the folder and the process table.
 */
export function processPlatform(options: ProcessPlatform): Platform {
  const start: Platform['start'] = (node, token, input) =>
    onItsDisk(node, async () => {
      const program = await programFor(options, input.release);
      await startServer(node, token, { ...input, program, startTimeout: options.startTimeout });
      return inspect(node);
    });
  return {
    inspect: (node) => onItsDisk(node, () => inspect(node)),
    fence: (node, token) => onItsDisk(node, () => fenced(node, token, () => Promise.resolve())),
    stop: (node, token, { terminate }) =>
      onItsDisk(node, () => stopServer(node, token, { terminate, stopTimeout: options.stopTimeout })),
    start,
    siteBeside: async (node, input) => {
      await mustBeHere(node);
      return siteBeside(node, input);
    },
    create: async (node, token, input) => {
      // Before anything is made: what can't be started needs no folder.
      await programFor(options, input.release);
      await makeHome(node);
      return start(node, token, input);
    },
    remove: (node, token) => removeHome(node, token, options.stopTimeout),
    keep: (node, token, input) => onItsDisk(node, () => keepFiles(node, token, input)),
    setAside: (node, token, input) => onItsDisk(node, () => setFilesAside(node, token, input)),
    restore: (node, token, input) => onItsDisk(node, () => restoreFiles(node, token, input)),
    bringIn: (node, token, input) => onItsDisk(node, () => bringFileIn(node, token, input)),
    keptAt: (node, { label }) => labelPath(node, label),
    drop: (node, token, { label }) => onItsDisk(node, () => dropKept(node, token, label)),
    remember: (node, token, { name, text }) => onItsDisk(node, () => remember(node, token, name, text)),
    recall: (node, { name }) => recall(node, name),
    forget: (node, token, { name }) => onItsDisk(node, () => forget(node, token, name)),
    configure: (node, token, { configuration }) =>
      onItsDisk(node, () => fenced(node, token, () => writeConfiguration(node.configurationFile, configuration))),
    async readConfiguration(node) {
      try {
        return await readFile(node.configurationFile, 'utf8');
      } catch (cause) {
        throw notHere(node, `its configuration file ${node.configurationFile} can't be read`, cause);
      }
    },
    async readFile(node, { path }) {
      try {
        return await readFile(path, 'utf8');
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
        throw notHere(node, `${path} can't be read`, cause);
      }
    },
    async resources(node) {
      await mustBeHere(node);
      const [disk, memory] = [await diskAt(node.home), memoryHere()];
      return {
        ...{ diskFree: disk.free, diskTotal: disk.total },
        ...{ memoryFree: memory.free, memoryTotal: memory.total },
      };
    },
    async releases() {
      return [...(await findServers(options.servers)).keys()];
    },
    log: (node, { lines }) => logTail(node, lines),
  };
}

async function inspect(node: PlatformNode): Promise<PlatformState> {
  const there = await findProcess(node);
  if (!there) {
    const last = await readStarted(node);
    return { state: 'stopped', ...(last === undefined ? {} : { release: last.release }) };
  }
  const { view, ours } = there;
  const executable = ours?.executable ?? (await executableOf(view.pid));
  return {
    state: view.stopped ? 'hung' : 'running',
    pid: view.pid,
    ...(executable === undefined ? {} : { executable }),
    ...(ours === undefined ? {} : { release: ours.release }),
  };
}

async function programFor(options: ProcessPlatform, release: string): Promise<string> {
  const servers = await findServers(options.servers);
  const program = servers.get(release);
  const there = await stat(program ?? '').catch(() => undefined);
  if (program !== undefined && there?.isFile() === true) return program;
  const have = [...servers.keys()].join(', ') || 'none';
  throw new RolloutError(
    'MissingServer',
    program === undefined
      ? `no server of release ${release} is on this machine (there are: ${have}). Run \`npm run setup\`, or name its redis-server under platform.servers`
      : `the server of release ${release} should be at ${program} and isn't. Run \`npm run setup\`, or correct platform.servers`,
  );
}

/** An act on a node's folder, which must be there and have room for what is written. */
async function onItsDisk<T>(node: PlatformNode, act: () => Promise<T>): Promise<T> {
  await mustBeHere(node);
  try {
    return await act();
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code !== 'ENOSPC' && code !== 'EDQUOT') throw cause;
    throw new RolloutError('NoSpace', `${node.address}: no room is left on the disk of ${node.home} (${code})`, {
      cause,
    });
  }
}

async function mustBeHere(node: PlatformNode): Promise<void> {
  const folder = await stat(node.home).catch((cause: unknown) => {
    throw notHere(node, `its folder ${node.home} can't be seen`, cause);
  });
  if (!folder.isDirectory()) throw notHere(node, `${node.home} is no folder`, undefined);
}

const notHere = (node: PlatformNode, what: string, cause: unknown): RolloutError =>
  new RolloutError(
    'BadInput',
    `${node.address}: ${what} on the worker's machine. The process platform needs a worker beside the nodes, as a user who may read and write their files`,
    { cause },
  );
