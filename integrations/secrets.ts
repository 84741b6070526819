import { readFile, stat } from 'node:fs/promises';
import type { Deployment } from '../model/deployment.js';
import { splitAddress, type Endpoint } from '../model/endpoint.js';
import { RolloutError } from '../model/failures.js';

/** Tells of something that is not an error yet; by default a warning of the process. */
export type Warn = (message: string) => void;

const warnProcess: Warn = (message) => process.emitWarning(message, 'RolloutWarning');

/**
 * The secret that a reference names, read now: called at the last moment, so that a rotated secret is taken up and none
 * is kept. A file may end in one newline, as editors leave it; more belongs to the secret.
 *
 * @param reference `env:NAME` or `file:PATH`
 * @throws RolloutError Unauthorized; its message names the reference, never the content
 */
export async function resolveSecret(reference: string, warn: Warn = warnProcess): Promise<string> {
  const variable = /^env:(.+)$/.exec(reference)?.[1];
  if (variable !== undefined) {
    const value = process.env[variable];
    if (value === undefined || value === '')
      throw new RolloutError('Unauthorized', `${reference} is ${value === '' ? 'empty' : 'not set'} on this worker`);
    return value;
  }
  const path = /^file:(.+)$/.exec(reference)?.[1];
  // The text is not repeated: somebody may have put the secret itself where its reference belongs.
  if (path === undefined) throw new RolloutError('BadInput', 'a secret is referred to as env:NAME or file:PATH');
  const content = await read(reference, path);
  if (((await stat(path)).mode & 0o004) !== 0)
    warn(`${reference} can be read by every user of this machine: chmod o-r ${path}`);
  const secret = content.toString('utf8').replace(/\r?\n$/, '');
  if (secret === '') throw new RolloutError('Unauthorized', `${reference} is empty`);
  return secret;
}

/**
 * How to reach the deployment's first seed. Commands renamed to `env:NAME` or `file:PATH` are resolved too: a hidden
 * name is a secret.
 *
 * @throws RolloutError Unauthorized or BadDeploymentFile, naming the reference
 */
export async function endpointFor(
  deployment: Pick<Deployment, 'name' | 'seeds' | 'credentials' | 'tls' | 'commands'>,
  warn: Warn = warnProcess,
): Promise<Endpoint> {
  const seed = deployment.seeds[0];
  if (seed === undefined) throw new RolloutError('BadDeploymentFile', `${deployment.name} names no seed`);
  const { username, password } = deployment.credentials;
  const commands = await Promise.all(
    Object.entries(deployment.commands).map(
      async ([command, name]) => [command, /^(env|file):/.test(name) ? await resolveSecret(name, warn) : name] as const,
    ),
  );
  return {
    ...splitAddress(seed),
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password: await resolveSecret(password, warn) }),
    ...(deployment.tls === undefined ? {} : { tls: await readTls(deployment.tls) }),
    ...(commands.length === 0 ? {} : { commands: Object.fromEntries(commands) }),
  };
}

async function readTls(tls: NonNullable<Deployment['tls']>): Promise<NonNullable<Endpoint['tls']>> {
  const { ca, cert, key, serverName, verify } = tls;
  return {
    verify,
    ...(serverName === undefined ? {} : { serverName }),
    ...(ca === undefined ? {} : { ca: await read('tls.ca', ca) }),
    ...(cert === undefined ? {} : { cert: await read('tls.cert', cert) }),
    ...(key === undefined ? {} : { key: await read('tls.key', key) }),
  };
}

async function read(what: string, path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const reason = { ENOENT: 'there is no such file', EACCES: 'this user may not read it', EISDIR: 'it is a folder' };
    const why = reason[code as keyof typeof reason] as string | undefined;
    throw new RolloutError('Unauthorized', `${what} (${path}) can't be read on this worker: ${why ?? String(code)}`);
  }
}
