import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RolloutError } from '../../model/failures.js';
import type { FencingToken, PlatformNode } from '../platform.js';
import { replaceFile } from './files.js';
import { locked } from './lock.js';

/** Our own folder within a node's: lock, record of what was started, copies kept. */
export const ourFolder = (node: PlatformNode): string => join(node.home, '.rollout');

const fenceFile = (node: PlatformNode): string => join(node.home, '.rollout-fence.json');

/**
 * Runs a short act on a node as the attempt that holds it. Check and act are one: a later attempt can't fence in
 * between, since it needs the same lock.
 *
 * @throws RolloutError Fenced when a later attempt has taken the node
 */
export async function fenced<T>(node: PlatformNode, token: FencingToken, act: () => Promise<T>): Promise<T> {
  return locked(ourFolder(node), async () => {
    const held = await readToken(node);
    const order = held === undefined ? -1 : compareTokens(held, token);
    if (held !== undefined && order > 0)
      throw new RolloutError(
        'Fenced',
        `${node.address} is held by ${held.holder} since ${new Date(held.epoch).toISOString()}; ${token.holder} of ${new Date(token.epoch).toISOString()} is older and stood back`,
      );
    if (order < 0) await replaceFile(fenceFile(node), `${JSON.stringify(token)}\n`);
    return act();
  });
}

const compareTokens = (a: FencingToken, b: FencingToken): number =>
  a.epoch - b.epoch || (a.holder === b.holder ? 0 : a.holder < b.holder ? -1 : 1);

async function readToken(node: PlatformNode): Promise<FencingToken | undefined> {
  let text: string;
  try {
    text = await readFile(fenceFile(node), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return JSON.parse(text) as FencingToken;
  } catch (cause) {
    throw new RolloutError(
      'Fenced',
      `${fenceFile(node)} can't be read, so nobody knows who holds ${node.address}: remove it once no worker acts on the node`,
      { cause },
    );
  }
}
