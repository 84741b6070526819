import { setTimeout as sleep } from 'node:timers/promises';
import { RolloutError } from '../../model/failures.js';
import type { FencingToken, PlatformNode } from '../platform.js';
import { fenced } from './fence.js';
import { findProcess, isGone } from './started.js';
import type { ProcessView } from './processes.js';

/**
 * Waits until the node's process is gone; nothing to do when none runs. The caller has sent SHUTDOWN, or asks with
 * `terminate` for a SIGTERM. A process that is held (SIGSTOP) is let go on, since it could not end otherwise; one
 * that has not ended at the deadline is killed.
 *
 * @param stopTimeout how long it may take to end, ms
 * @throws RolloutError Fenced; NodeHung when even SIGKILL does not end it (it waits for a disk, or isn't ours to kill)
 */
export async function stopServer(
  node: PlatformNode,
  token: FencingToken,
  { terminate, stopTimeout }: { terminate: boolean; stopTimeout: number },
): Promise<void> {
  const view = await fenced(node, token, async () => {
    const there = await findProcess(node);
    if (!there) return undefined;
    if (terminate) await signal(node, there.view, 'SIGTERM');
    if (there.view.stopped) await signal(node, there.view, 'SIGCONT');
    return there.view;
  });
  if (!view) return;
  const deadline = Date.now() + stopTimeout;
  // A server refuses SIGTERM while it can't save or writes its first append-only file, and forgets that it was asked.
  while (!(await ends(view, Math.min(askAgain, deadline - Date.now()))) && Date.now() < deadline)
    if (terminate) await fenced(node, token, () => signal(node, view, 'SIGTERM'));
  if (await isGone(view)) return;
  await fenced(node, token, () => signal(node, view, 'SIGKILL'));
  if (await ends(view, 10_000)) return;
  throw new RolloutError(
    'NodeHung',
    `${node.address}: pid ${view.pid} has not ended 10 s after SIGKILL; look at its disk`,
  );
}

/** ms */
const askAgain = 500;

/** Only to the process that was seen: its pid may be another's by now. */
async function signal(node: PlatformNode, view: ProcessView, name: NodeJS.Signals): Promise<void> {
  if (await isGone(view)) return;
  try {
    process.kill(view.pid, name);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ESRCH') return;
    throw new RolloutError(
      'Unauthorized',
      `${node.address}: pid ${view.pid} can't be sent ${name}: run the worker as the user that runs the servers`,
      { cause },
    );
  }
}

/** Whether it is gone within so long, ms. */
export async function ends(view: ProcessView, timeoutMs: number): Promise<boolean> {
  const deadline = Date.now() + timeoutMs;
  while (!(await isGone(view))) {
    if (Date.now() > deadline) return false;
    await sleep(10);
  }
  return true;
}
