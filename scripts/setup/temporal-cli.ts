import { goInstall, publishedArchive } from './go-program.js';

/** The last release that `go install` can build: later ones have `replace` lines in their go.mod. */
const release = '1.5.1';

export const temporalDownload = publishedArchive({
  release,
  program: 'temporal',
  url: (system) =>
    `https://github.com/temporalio/cli/releases/download/v${release}/temporal_cli_${release}_${system}.tar.gz`,
  archives: {
    'linux-x64': 'ddc95e08b0b076efd4ea9733a3f488eb7d2be875f8834e616cd2a37358b4852d',
    'linux-arm64': 'bd1b0db9f18b051026de8bf6cc1505f2510f14bbb7a8b9a4a91fff46c77454f5',
    'darwin-x64': 'bbb73e2a31135abe50a1f1cdb35030c42961df618e8ce9c60ae89f201540c5d9',
    'darwin-arm64': 'cca01b7ea35ad56e2a328d9ae596bf716bd22313ef63c7a761c88354457c2415',
  },
});

export const temporalByGo = goInstall({
  release,
  program: 'temporal',
  main: 'github.com/temporalio/cli/cmd/temporal',
  stamp: 'github.com/temporalio/cli/temporalcli.Version',
  takes: 'about three minutes',
});
