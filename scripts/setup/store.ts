import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import {
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { pipeline } from 'node:stream/promises';

/** Kept beside what was fetched: where it came from, and what each file must be. */
export interface Manifest {
  component: string;
  /** `5.0.6`, `valkey-9.1.2`, or what the program says of itself. */
  release: string;
  /** The way that was taken: `Debian package (trixie)`. */
  route: string;
  /** ISO time. */
  at: string;
  /** What was downloaded. */
  sources: readonly Source[];
  files: Readonly<Record<string, { sha256: string; bytes: number; modified: number }>>;
}

export interface Source {
  name: string;
  sha256: string;
}

const MANIFEST = 'manifest.json';

/**
 * The cache holds `store/<entry>` folders, complete or absent, and relative links to them under `servers/` and `bin/`.
 * A link can be replaced in one step, which a folder cannot: a server that is being started is never found missing.
 */
export class Store {
  constructor(readonly root: string) {}

  /** An empty folder on the same file system, for something that isn't whole yet. */
  async workFolder(component: string): Promise<string> {
    await mkdir(join(this.root, 'tmp'), { recursive: true });
    return mkdtemp(join(this.root, 'tmp', `${component}-`));
  }

  /** Records what is in `folder` and puts it in place under each link (`servers/redis-8.0.6`, `bin/temporal`). */
  async place(
    folder: string,
    manifest: Omit<Manifest, 'files' | 'at'>,
    links: Readonly<Record<string, string>>,
  ): Promise<void> {
    const files: Record<string, Manifest['files'][string]> = {};
    for (const path of await filesIn(folder)) {
      const { size, mtimeMs } = await stat(join(folder, path));
      files[path] = { sha256: await sha256(join(folder, path)), bytes: size, modified: mtimeMs };
    }
    const whole: Manifest = { ...manifest, at: new Date().toISOString(), files };
    await writeFile(join(folder, MANIFEST), JSON.stringify(whole, null, 1) + '\n');
    const entry = join(this.root, 'store', basename(folder));
    await mkdir(dirname(entry), { recursive: true });
    await rename(folder, entry);
    for (const [link, inside] of Object.entries(links)) await pointTo(join(this.root, link), join(entry, inside));
  }

  /** The manifest of the entry that a link leads to; undefined when it leads nowhere or to something of another make. */
  async manifestOf(link: string): Promise<Manifest | undefined> {
    const entry = await this.#entryOf(link);
    if (entry === undefined) return undefined;
    try {
      return JSON.parse(await readFile(join(entry, MANIFEST), 'utf8')) as Manifest;
    } catch {
      return undefined;
    }
  }

  /**
   * What of the entry isn't as recorded, in words; empty when all is well. `quick` reads only the files whose size or
   * time has changed; without it every byte is read.
   */
  async damage(link: string, { quick }: { quick: boolean }): Promise<string[]> {
    const entry = await this.#entryOf(link);
    const manifest = await this.manifestOf(link);
    if (entry === undefined || manifest === undefined) return ['not placed by set-up'];
    const bad: string[] = [];
    for (const [path, expected] of Object.entries(manifest.files)) {
      const it = await stat(join(entry, path)).catch(() => undefined);
      if (it === undefined) bad.push(`${path} is missing`);
      else if (it.size !== expected.bytes) bad.push(`${path} has ${it.size} bytes, ${expected.bytes} were recorded`);
      else if (!(quick && it.mtimeMs === expected.modified) && (await sha256(join(entry, path))) !== expected.sha256)
        bad.push(`${path} has another SHA-256 than recorded`);
    }
    return bad;
  }

  /** Removes what killed runs left half-made, and entries that no link leads to any more. Only under the lock. */
  async sweep(): Promise<void> {
    await rm(join(this.root, 'tmp'), { recursive: true, force: true });
    const used = new Set<string>();
    for (const folder of ['servers', 'bin'])
      for (const name of await readdir(join(this.root, folder)).catch(() => [] as string[])) {
        const entry = await this.#entryOf(join(folder, name));
        if (entry !== undefined) used.add(basename(entry));
      }
    for (const name of await readdir(join(this.root, 'store')).catch(() => [] as string[]))
      if (!used.has(name)) await rm(join(this.root, 'store', name), { recursive: true, force: true });
  }

  /** Links of `servers/` as they are named. */
  serverLinks(): Promise<string[]> {
    return readdir(join(this.root, 'servers')).catch(() => []);
  }

  async #entryOf(link: string): Promise<string | undefined> {
    const target = await readlink(join(this.root, link)).catch(() => undefined);
    const match = target === undefined ? undefined : /^\.\.\/store\/([^/]+)/.exec(target);
    return match?.[1] === undefined ? undefined : join(this.root, 'store', match[1]);
  }
}

/** SHA-256 of a file, in hex, read as a stream. */
export async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex');
}

async function pointTo(link: string, target: string): Promise<void> {
  await mkdir(dirname(link), { recursive: true });
  const aside = `${link}.${process.pid}.new`;
  await rm(aside, { force: true });
  await symlink(relative(dirname(link), target), aside);
  // A link replaces a link in one step; only a real folder or file, put there by hand, must be moved away first.
  const there = await lstat(link).catch(() => undefined);
  if (there?.isDirectory()) await rename(link, `${link}.replaced-${Date.now()}`);
  await rename(aside, link);
}

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((it) => it.isFile() && it.name !== MANIFEST)
    .map((it) => relative(folder, join(it.parentPath, it.name)))
    .sort();
}
