import { copyFile, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { runCommand } from './command.js';
import { sha256, type Source } from './store.js';

export interface Pinned {
  url: string;
  /** Of the whole file, hex. */
  sha256: string;
}

/** Official downloads of one run. A host that refused once isn't asked again: each attempt would cost its time-out. */
export class Downloads {
  readonly #refused = new Map<string, string>();

  constructor(readonly signal?: AbortSignal) {}

  /**
   * Fetches to `folder` and checks the SHA-256. ROLLOUT_DOWNLOADS, a folder or a URL, is asked first, and alone, by the
   * file's name: for machines that reach a mirror only. curl does it, for the proxies and certificates it is set up with.
   */
  async fetch({ url, sha256: expected }: Pinned, folder: string): Promise<{ path: string; source: Source }> {
    const name = basename(new URL(url).pathname);
    const path = join(folder, name);
    const mirror = process.env['ROLLOUT_DOWNLOADS'];
    if (mirror !== undefined && mirror !== '' && !/^https?:/.test(mirror)) await copyFile(join(mirror, name), path);
    else await this.#get(mirror ? `${mirror.replace(/\/$/, '')}/${name}` : url, path);
    const actual = await sha256(path);
    if (actual !== expected) {
      await rm(path);
      throw new Error(`${name} has SHA-256 ${actual}, ${expected} was expected: not used`);
    }
    return { path, source: { name, sha256: actual } };
  }

  async #get(url: string, path: string): Promise<void> {
    const { host } = new URL(url);
    const before = this.#refused.get(host);
    if (before !== undefined) throw new Error(`${host} refused before: ${before}`);
    const limits = ['--connect-timeout', '5', '--speed-limit', '1000', '--speed-time', '20', '--max-time', '900'];
    try {
      await runCommand('curl', ['-fsSL', ...limits, '-o', path, url], this.signal ? { signal: this.signal } : {});
    } catch (error) {
      const reason = (error instanceof Error ? error.message : String(error)).replace(/^curl -\w+: /, '');
      // 22 is an answer of the server (404 for one file); everything else is about reaching it.
      if (!/\(22\)/.test(reason) && !this.signal?.aborted) this.#refused.set(host, reason);
      throw new Error(`${host}: ${reason}`, { cause: error });
    }
  }
}
