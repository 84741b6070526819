import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseDeployment } from '../model/deployment-file.js';
import type { Deployment } from '../model/deployment.js';
import { RolloutError } from '../model/failures.js';
import { nearest } from '../model/nearest.js';

/** Where deployment files lie: ROLLOUT_DEPLOYMENTS, else `deployments` in the working folder. */
export const deploymentsFolder = (): string => resolve(process.env['ROLLOUT_DEPLOYMENTS'] ?? 'deployments');

/** Names of the deployments of a folder, sorted. A folder that isn't there has none. */
export async function listDeployments(folder: string = deploymentsFolder()): Promise<string[]> {
  const files = await readdir(folder).catch(() => [] as string[]);
  return files
    .map((file) => /^([a-z0-9][a-z0-9-]{0,62})\.yaml$/.exec(file)?.[1])
    .filter((name) => name !== undefined)
    .sort();
}

/**
 * Reads `<folder>/<name>.yaml`. Workflow inputs carry a name only, and only a name is taken: a path in one would let
 * whoever may start a workflow read any file of the worker.
 *
 * @throws RolloutError UnknownDeployment or BadDeploymentFile
 */
export async function loadDeployment(name: string, folder: string = deploymentsFolder()): Promise<Deployment> {
  if (!/^[a-z0-9][a-z0-9-]{0,62}$/.test(name))
    throw new RolloutError(
      'UnknownDeployment',
      `expected a deployment's name (lower-case letters, digits and dashes), found '${name}'`,
    );
  return parseDeployment(await readFileWhole(name, folder), fileOf(name, folder), name);
}

const fileOf = (name: string, folder: string): string => join(folder, `${name}.yaml`);

/** Text of a deployment's file. @throws RolloutError UnknownDeployment or BadDeploymentFile */
export async function readFileWhole(name: string, folder: string): Promise<string> {
  const file = fileOf(name, folder);
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      throw new RolloutError('BadDeploymentFile', `${file} can't be read: ${(error as Error).message}`);
    throw await unknown(name, folder);
  }
}

/**
 * Reads a deployment file by its path, as a person names it on a command line.
 *
 * @throws RolloutError UnknownDeployment or BadDeploymentFile
 */
export async function readDeploymentFile(path: string): Promise<Deployment> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new RolloutError('UnknownDeployment', `${path} can't be read: ${(error as Error).message}`);
  });
  return parseDeployment(text, path);
}

async function unknown(name: string, folder: string): Promise<RolloutError> {
  const there = await listDeployments(folder);
  const meant = nearest(name, there);
  const known = there.length === 0 ? 'there are none' : `there are ${there.join(', ')}`;
  return new RolloutError(
    'UnknownDeployment',
    `no deployment '${name}' in ${folder}: ${known}${meant === undefined ? '' : `; did you mean '${meant}'?`}`,
  );
}
