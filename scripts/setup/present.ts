import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { join } from 'node:path';
import { compareNumbers, parseRelease } from '../../model/release.js';
import { releaseOf } from '../../platforms/process/servers.js';
import { type Component } from './catalogue.js';
import { chromiumProgram, isExecutable, onPath } from './search-path.js';
import type { Manifest, Store } from './store.js';

/** A component that is here. */
export interface Present {
  where: 'PATH' | 'cache';
  path: string;
  release: string;
  /** Of an entry in the cache. */
  manifest?: Manifest;
  /** What of a cache entry isn't as it was placed, in words; empty when all is well. */
  damage: readonly string[];
}

/** Looks on PATH, then in the cache. `quick` trusts files whose size and time are as recorded. */
export async function lookFor(
  component: Component,
  store: Store,
  { quick }: { quick: boolean },
): Promise<Present | undefined> {
  for (const path of await onPath(...component.programs)) {
    const release = await versionOf(component, path);
    if (release !== undefined && suits(component, release)) return { where: 'PATH', path, release, damage: [] };
  }
  if (component.name === 'chromium') {
    const path = await chromiumProgram();
    const release = path === undefined ? undefined : await versionOf(component, path);
    if (path !== undefined && release !== undefined && !path.startsWith(store.root))
      return { where: 'PATH', path, release, damage: [] };
  }
  for (const link of await linksFor(component, store)) {
    const path = component.server ? join(store.root, link, 'bin', component.programs[0]) : join(store.root, link);
    const manifest = await store.manifestOf(link);
    const damage = await store.damage(link, { quick });
    if (manifest !== undefined && damage.length === 0 && (await isExecutable(path)))
      return { where: 'cache', path, release: manifest.release, manifest, damage };
    if (manifest !== undefined || (await isExecutable(path)))
      return { where: 'cache', path, release: manifest?.release ?? 'unknown', damage };
  }
  return undefined;
}

/** Where in the cache a component may be; a later patch that does as well comes after the very one. */
async function linksFor(component: Component, store: Store): Promise<string[]> {
  const { server } = component;
  if (server === undefined) return [join('bin', component.programs[0])];
  const links = (await store.serverLinks()).filter((link) => suits(component, linkRelease(link)));
  return links.sort((a) => (a === component.name ? -1 : 1)).map((link) => join('servers', link));
}

/** `redis-8.0.6` for `8.0.6`; Valkey's name says it already. */
export const linkName = (release: string): string => (release.startsWith('valkey-') ? release : `redis-${release}`);
const linkRelease = (link: string): string => link.replace(/^redis-/, '');

/** Is this release what the component asks for? Programs other than servers do in any. */
export function suits({ server }: Component, release: string): boolean {
  if (server === undefined) return true;
  if (release === server.release) return true;
  const [there, asked] = [parseRelease(release), parseRelease(server.release)];
  return (
    server.orLater === true &&
    there?.patch !== undefined &&
    asked !== undefined &&
    there.flavour === asked.flavour &&
    there.major === asked.major &&
    there.minor === asked.minor &&
    compareNumbers(there, asked) > 0
  );
}

/** What the program says of itself; undefined when it can't be run: `complain` hears why. */
export async function versionOf(
  component: Component,
  path: string,
  complain?: (why: string) => void,
): Promise<string | undefined> {
  if (component.server !== undefined) return releaseOf(path);
  try {
    const argument = ['openssl', 'seaweedfs'].includes(component.name) ? 'version' : '--version';
    // Of docker, the program is often there and nothing that it could ask.
    if (component.name === 'container-engine') await promisify(execFile)(path, ['ps', '-q'], { timeout: 15_000 });
    // The first start of a browser reads some hundred megabytes from a disk that others may be busy with.
    const { stdout, stderr } = await promisify(execFile)(path, [argument], { timeout: 60_000 });
    return /\d+\.\d+[\w.+-]*/.exec(stdout + stderr)?.[0];
  } catch (error) {
    const { stderr = '', message } = error as Error & { stderr?: string };
    complain?.(stderr.trim().split('\n').at(-1) || message);
    return undefined;
  }
}
