import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from './command.js';
import type { Route } from './route.js';
import { onPath } from './search-path.js';

/** A program whose makers publish an archive of it for each system, with Go's names for systems and processors. */
interface Published {
  release: string;
  /** What of the archive is wanted. */
  program: string;
  /** Of `linux_amd64` and so on. */
  url: (system: string) => string;
  /** SHA-256 of the archives, by Node's names: `linux-x64`. */
  archives: Readonly<Record<string, string>>;
}

export const publishedArchive = ({ release, program, url, archives }: Published): Route => ({
  name: `official download v${release}`,
  async obtain(folder, { downloads, signal }) {
    const sha256 = archives[`${process.platform}-${process.arch}`];
    if (sha256 === undefined) throw new Error(`there is none for ${process.platform} on ${process.arch}`);
    const system = `${process.platform}_${process.arch === 'x64' ? 'amd64' : 'arm64'}`;
    const { path, source } = await downloads.fetch({ url: url(system), sha256 }, folder);
    await mkdir(join(folder, 'bin'));
    await runCommand('tar', ['-xzf', path, '-C', join(folder, 'bin'), program], signal ? { signal } : {});
    await rm(path);
    return [source];
  },
});

interface Buildable {
  release: string;
  program: string;
  /** Import path of its main package. */
  main: string;
  /** The variable that the official build sets to the release; without it the program doesn't know its own. */
  stamp: string;
  /** How long it takes, for whoever waits. */
  takes: string;
}

/** Go's module proxy and checksum database verify what is fetched; stripped, it is a third smaller. */
export const goInstall = ({ release, program, main, stamp, takes }: Buildable): Route => ({
  name: `go install of v${release}`,
  async obtain(folder, { signal, note }) {
    if ((await onPath('go')).length === 0) throw new Error('there is no Go to build it with');
    note(`building with Go: ${takes} the first time`);
    await runCommand('go', ['install', `-ldflags=-s -w -X ${stamp}=${release}`, `${main}@v${release}`], {
      env: { GOBIN: join(folder, 'bin'), GOFLAGS: '' },
      tailLines: 3,
      ...(signal ? { signal } : {}),
    });
    // Go names it after the last folder of its path.
    const built = join(folder, 'bin', main.slice(main.lastIndexOf('/') + 1));
    await rename(built, join(folder, 'bin', program));
    return [];
  },
});
