import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { RolloutError } from '../../model/failures.js';

/**
 * A file that gets its name only once it is whole and on disk: until then it is `<file>.partial`, readable by its owner
 * alone. What an earlier process left there is replaced.
 */
export class PartialFile implements AsyncDisposable {
  readonly #partial: string;
  #kept = false;

  private constructor(
    readonly file: string,
    private readonly handle: FileHandle,
  ) {
    this.#partial = partialName(file);
  }

  /** @throws RolloutError BackupFailed */
  static async create(file: string): Promise<PartialFile> {
    return writing(file, async () => {
      await rm(partialName(file), { force: true });
      return new PartialFile(file, await open(partialName(file), 'wx', 0o600));
    });
  }

  /** @throws RolloutError BackupFailed, when the disk is full for instance */
  write(chunk: Buffer): Promise<void> {
    return writing(this.file, async () => {
      for (let at = 0; at < chunk.length;) at += (await this.handle.write(chunk, at)).bytesWritten;
    });
  }

  /** Brings it to disk and gives it its name. */
  keep(): Promise<void> {
    return writing(this.file, async () => {
      await this.handle.sync();
      // Another pull to the same file has removed ours and begun its own: that one is not whole.
      const [ours, there] = [await this.handle.stat(), await stat(this.#partial)];
      if (ours.ino !== there.ino) throw new Error('another process writes the same file');
      await rename(this.#partial, this.file);
      this.#kept = true;
      const folder = await open(dirname(this.file), 'r');
      try {
        await folder.sync();
      } finally {
        await folder.close();
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ours = await this.handle.stat();
    await this.handle.close();
    if (this.#kept) return;
    const there = await stat(this.#partial).catch(() => undefined);
    if (there?.ino === ours.ino) await rm(this.#partial, { force: true });
  }
}

const partialName = (file: string): string => `${file}.partial`;

async function writing<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new RolloutError('BackupFailed', `${file} can't be written: ${why}`, { cause: error });
  }
}
