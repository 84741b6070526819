import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from './command.js';
import { onPath } from './search-path.js';
import type { Route } from './route.js';

/** The last release that `go install` can build: later ones have `replace` lines in their go.mod. */
const release = '1.5.1';

/** SHA-256 of the release's archives. */
const archives: Readonly<Record<string, string>> = {
  'linux-x64': 'ddc95e08b0b076efd4ea9733a3f488eb7d2be875f8834e616cd2a37358b4852d',
  'linux-arm64': 'bd1b0db9f18b051026de8bf6cc1505f2510f14bbb7a8b9a4a91fff46c77454f5',
  'darwin-x64': 'bbb73e2a31135abe50a1f1cdb35030c42961df618e8ce9c60ae89f201540c5d9',
  'darwin-arm64': 'cca01b7ea35ad56e2a328d9ae596bf716bd22313ef63c7a761c88354457c2415',
};

export const temporalDownload: Route = {
  name: `official download v${release}`,
  async obtain(folder, { downloads, signal }) {
    const sha256 = archives[`${process.platform}-${process.arch}`];
    if (sha256 === undefined) throw new Error(`there is none for ${process.platform} on ${process.arch}`);
    const archive = `temporal_cli_${release}_${process.platform}_${process.arch === 'x64' ? 'amd64' : 'arm64'}.tar.gz`;
    const url = `https://github.com/temporalio/cli/releases/download/v${release}/${archive}`;
    const { path, source } = await downloads.fetch({ url, sha256 }, folder);
    await mkdir(join(folder, 'bin'));
    await runCommand('tar', ['-xzf', path, '-C', join(folder, 'bin'), 'temporal'], signal ? { signal } : {});
    await rm(path);
    return [source];
  },
};

export const temporalByGo: Route = {
  name: `go install of v${release}`,
  async obtain(folder, { signal, note }) {
    if ((await onPath('go')).length === 0) throw new Error('there is no Go to build it with');
    note('building with Go: about three minutes the first time');
    // Go's module proxy and checksum database verify what is fetched; stripped, it is a third smaller. The version
    // is what the official build sets; without it the program calls itself 0.0.0-DEV.
    await runCommand(
      'go',
      [
        'install',
        `-ldflags=-s -w -X github.com/temporalio/cli/temporalcli.Version=${release}`,
        `github.com/temporalio/cli/cmd/temporal@v${release}`,
      ],
      {
        env: { GOBIN: join(folder, 'bin'), GOFLAGS: '' },
        tailLines: 3,
        ...(signal ? { signal } : {}),
      },
    );
    return [];
  },
};
