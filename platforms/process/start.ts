import { spawn } from 'node:child_process';
import { copyFile, open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RolloutError } from '../../model/failures.js';
import type { FencingToken, PlatformNode, StartInput } from '../platform.js';
import { fenced } from './fence.js';
import { replaceFile, exists } from './files.js';
import { logPositions, logTail, outputFile } from './log.js';
import { accepts, executableOf, listening, listenersOf, lockedIn, viewProcess, type ProcessView } from './processes.js';
import { findProcess, hostOf, isGone, portOf, writeStarted } from './started.js';
import { ends } from './stop.js';

/**
 * Starts a release in a node's folder and waits until it listens. Where that very release already runs, or was just
 * spawned by an attempt that died, only the waiting is done.
 *
 * @param startTimeout until it listens, ms; loading the dataset comes after that
 * @throws RolloutError StartFailed with the end of its log; Fenced; NodeHung
 */
export async function startServer(
  node: PlatformNode,
  token: FencingToken,
  input: StartInput & { program: string; startTimeout: number },
): Promise<void> {
  const since = await logPositions(node);
  const view = await fenced(node, token, async () => {
    const there = await findProcess(node);
    if (there?.ours?.release === input.release) return there.view;
    if (there) throw occupied(node, there.view.pid, there.ours?.release ?? (await executableOf(there.view.pid)));
    await portMustBeFree(node);
    await filesMustBeFree(node);
    await writeConfiguration(node.configurationFile, input.configuration);
    for (const { path, text } of input.files ?? []) await writeConfiguration(path, text);
    return launch(node, input);
  });
  if (view.stopped)
    throw new RolloutError(
      'NodeHung',
      `${node.address}: pid ${view.pid} runs ${input.release}, but it is stopped (SIGSTOP)`,
    );
  const failed = await waitForPort(node, view, input.startTimeout);
  if (failed === undefined) return;
  await fenced(node, token, async () => {
    if (!(await isGone(view))) process.kill(view.pid, 'SIGKILL');
  });
  // A kill takes its time on a busy machine; whoever is told of the failure finds the node stopped.
  await ends(view, 10_000);
  const log = await logTail(node, 20, { since, configuration: input.configuration });
  throw new RolloutError(
    'StartFailed',
    `${node.address}: ${input.release} ${failed}. The end of its log:\n${log || '(it wrote nothing)'}`,
  );
}

async function launch(node: PlatformNode, input: StartInput & { program: string }): Promise<ProcessView> {
  await writeStarted(node, { release: input.release, executable: input.program });
  const output = await open(outputFile(node), 'a', 0o600);
  const child = spawn(input.program, [node.configurationFile, ...input.arguments, ...foreground(input.configuration)], {
    detached: true,
    stdio: ['ignore', output.fd, output.fd],
    cwd: node.home,
    env: environment(),
  });
  const spawned = await new Promise<Error | undefined>((resolve) => {
    child.once('spawn', () => resolve(undefined));
    child.once('error', resolve);
  });
  await output.close();
  child.unref();
  const { pid } = child;
  if (spawned || pid === undefined)
    throw new RolloutError('StartFailed', `${node.address}: ${input.program} can't be run: ${spawned?.message ?? ''}`);
  // It may have ended at once: then its pid and no start time is what there is to say.
  const view = (await viewProcess(pid)) ?? { pid, parent: process.pid, started: 'ended', stopped: false };
  await writeStarted(node, { release: input.release, executable: input.program, pid, started: view.started });
  return view;
}

/** A server that puts itself in the background would change its pid and drop our log. */
const foreground = (configuration: string): string[] =>
  /^\s*daemonize\s+["']?yes/im.test(configuration) ? ['--daemonize', 'no'] : [];

/** Only what a server needs: the worker's own variables may hold secrets, and the process outlives the worker. */
function environment(): NodeJS.ProcessEnv {
  const wanted = /^(PATH|HOME|USER|LOGNAME|SHELL|TZ|LANG|LC_.*|TMPDIR|LD_LIBRARY_PATH|DYLD_.*|LUA_C?PATH|MALLOC_.*)$/;
  // The worker's own setting for itself (scripts/bootstrap.mjs).
  const ours = 'MALLOC_ARENA_MAX';
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => wanted.test(name) && name !== ours));
}

/** Replaces the configuration and keeps the previous one beside it, as `<file>.previous`. */
export async function writeConfiguration(path: string, text: string): Promise<void> {
  const before = await readFile(path, 'utf8').catch(() => undefined);
  if (before === text) return;
  if (before !== undefined && (await exists(path))) {
    await copyFile(path, `${path}.previous.new`);
    await rename(`${path}.previous.new`, `${path}.previous`);
  }
  await replaceFile(path, text);
}

async function portMustBeFree(node: PlatformNode): Promise<void> {
  const port = portOf(node);
  const [holder] = await listenersOf(port);
  if (holder !== undefined) throw occupied(node, holder, await executableOf(holder));
  if (await accepts(hostOf(node), port))
    throw new RolloutError(
      'StartFailed',
      `${node.address}: something already answers on port ${port}, a process of another user or machine; end it first`,
    );
}

/** How long the locks of a server that has ended may outlive it, ms. */
const LOCKS_END_WITHIN_MS = 5000;

/** A server ends at once when its nodes.conf is locked. */
async function filesMustBeFree(node: PlatformNode): Promise<void> {
  const deadline = Date.now() + LOCKS_END_WITHIN_MS;
  for (;;) {
    const [held] = await lockedIn(node.home);
    if (held === undefined) return;
    if (Date.now() > deadline)
      throw new RolloutError(
        'StartFailed',
        `${node.address}: ${join(node.home, held.file)} is locked, since pid ${held.pid} (${(await executableOf(held.pid)) ?? 'ended; a child of it holds on'}); end it first`,
      );
    await sleep(20);
  }
}

const occupied = (node: PlatformNode, pid: number, what: string | undefined): RolloutError =>
  new RolloutError(
    'StartFailed',
    `${node.address}: expected nothing to run there, found pid ${pid} (${what ?? 'unknown program'}); stop it first`,
  );

/** Waits until the port accepts a connection; otherwise says what went wrong. */
async function waitForPort(node: PlatformNode, view: ProcessView, timeoutMs: number): Promise<string | undefined> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    // First whether it lives: on a port taken by another the connection would succeed all the same.
    if (await isGone(view)) return 'ended as soon as it was started';
    if (await accepts(hostOf(node), portOf(node)))
      return (await isGone(view)) ? 'ended after it had started' : undefined;
    if (Date.now() > deadline) {
      const { elsewhere } = await listening([view.pid], portOf(node));
      const how = elsewhere.length > 0 ? `listens, but not on port ${portOf(node)},` : 'does not listen';
      return `${how} after ${timeoutMs / 1000} s and was killed`;
    }
    await sleep(20);
  }
}
