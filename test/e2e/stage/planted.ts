import { readdir, readFile, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { constants, gunzipSync } from 'node:zlib';

/**
 * Looks for texts that were planted in the data, again and again until it is told to end: in every file below some folders, what
 * is compressed there included, and in every file that a process which a worker has started holds open.
 */
export class Planted implements AsyncDisposable {
  /** Files that have one of the texts, or had it for a while. */
  readonly found = new Set<string>();
  /** Regular files that servers of a worker held open. */
  readonly held = new Set<string>();
  /** How many files were read, and again when they had changed. */
  looks = 0;
  readonly #seen = new Map<string, string>();
  #ended = false;
  #looking: Promise<void> = Promise.resolve();

  private constructor(
    private readonly texts: readonly string[],
    private readonly where: { folders: () => readonly string[]; workers: () => readonly number[] },
  ) {}

  /** @param where.workers their pids */
  static begin(
    texts: readonly string[],
    where: { folders: () => readonly string[]; workers: () => readonly number[] },
  ): Planted {
    const planted = new Planted(texts, where);
    planted.#looking = planted.#look();
    return planted;
  }

  async #look(): Promise<void> {
    for (let ended = false; !ended;) {
      // Once more when it is told to.
      ended = this.#ended;
      for (const folder of this.where.folders()) await this.#below(folder);
      for (const pid of await descendantsOf(this.where.workers())) await this.#heldBy(pid);
      await sleep(20);
    }
  }

  async #below(folder: string): Promise<void> {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
    for (const entry of entries) if (entry.isFile()) await this.#read(join(entry.parentPath, entry.name));
  }

  async #heldBy(pid: string): Promise<void> {
    for (const fd of await readdir(join('/proc', pid, 'fd')).catch(() => [])) {
      const path = join('/proc', pid, 'fd', fd);
      const isFile = await stat(path).then(
        (it) => it.isFile(),
        () => false,
      );
      if (isFile) this.held.add(await readlink(path).catch(() => path));
    }
  }

  async #read(file: string): Promise<void> {
    const state = await stat(file).then(
      ({ size, mtimeMs, ino }) => `${size} ${mtimeMs} ${ino}`,
      () => undefined,
    );
    if (state === undefined || this.#seen.get(file) === state) return;
    this.#seen.set(file, state);
    const bytes = await readFile(file).catch(() => Buffer.alloc(0));
    this.looks++;
    if (this.texts.some((text) => bytes.includes(text) || unzipped(bytes).some((it) => it.includes(text))))
      this.found.add(file);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    await this.#looking;
  }
}

const GZIP = Buffer.from([0x1f, 0x8b, 0x08]);

/** Whatever is gzip in it, as far as it goes. */
function unzipped(bytes: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let at = bytes.indexOf(GZIP); at >= 0; at = bytes.indexOf(GZIP, at + 1))
    try {
      found.push(gunzipSync(bytes.subarray(at), { finishFlush: constants.Z_SYNC_FLUSH }));
    } catch {
      // Three bytes of it, and no more.
    }
  return found;
}

async function descendantsOf(pids: readonly number[]): Promise<string[]> {
  const all = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const parents = new Map<string, string>();
  for (const pid of all) {
    const text = await readFile(join('/proc', pid, 'stat'), 'utf8').catch(() => '');
    const parent = / \S (\d+) /.exec(text.slice(text.lastIndexOf(')')))?.[1];
    if (parent !== undefined) parents.set(pid, parent);
  }
  const workers = new Set(pids.map(String));
  const below = (pid: string | undefined): boolean =>
    pid !== undefined && (workers.has(pid) || below(parents.get(pid) === pid ? undefined : parents.get(pid)));
  return all.filter((pid) => !workers.has(pid) && below(parents.get(pid)));
}
