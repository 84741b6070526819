import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { RolloutError } from '../../model/failures.js';
import type { FencingToken, PlatformNode } from '../platform.js';
import { fenced, ourFolder } from './fence.js';
import { replaceFile } from './files.js';

/** Keeps a small private document beside a node, replacing what was under the name. */
export async function remember(node: PlatformNode, token: FencingToken, name: string, text: string): Promise<void> {
  const path = pathOf(node, name);
  await fenced(node, token, async () => {
    await mkdir(folderOf(node), { recursive: true, mode: 0o700 });
    await replaceFile(path, text);
  });
}

/** What `remember` kept, or undefined. */
export async function recall(node: PlatformNode, name: string): Promise<string | undefined> {
  try {
    return await readFile(pathOf(node, name), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Removes what `remember` kept; harmless when there is nothing. */
export async function forget(node: PlatformNode, token: FencingToken, name: string): Promise<void> {
  const path = pathOf(node, name);
  await fenced(node, token, () => rm(path, { force: true }));
}

const folderOf = (node: PlatformNode): string => join(ourFolder(node), 'documents');

function pathOf(node: PlatformNode, name: string): string {
  if (!/^[a-z0-9][a-z0-9.-]{0,62}$/.test(name))
    throw new RolloutError(
      'BadInput',
      `expected a name of lower-case letters, digits, dots and dashes, found '${name}'`,
    );
  return join(folderOf(node), name);
}
