import { goInstall, publishedArchive } from './go-program.js';

const release = '2.12.0';
export const TOXIPROXY = 'toxiproxy-server';

export const toxiproxyDownload = publishedArchive({
  release,
  program: TOXIPROXY,
  url: (system) =>
    `https://github.com/Shopify/toxiproxy/releases/download/v${release}/toxiproxy_${release}_${system}.tar.gz`,
  archives: {
    'linux-x64': '65e042d3fc2290c099527bc506446a6fd863a09f113b8944b636ece70221c2b3',
    'linux-arm64': 'ab417dafc77ae8b54ec8461cc5da5180d0465a61dcbda86c72da72ee4ab843b7',
    'darwin-x64': '52ac1f99d7204b4b523f910b791bc86318b50ef94822c79a6157606704003ced',
    'darwin-arm64': 'cece3905c06ad84d6b3bb4cd024c344e6466736b2a8cbaf9ef4fe45e62aba9b2',
  },
});

export const toxiproxyByGo = goInstall({
  release,
  program: TOXIPROXY,
  main: 'github.com/Shopify/toxiproxy/v2/cmd/server',
  stamp: 'github.com/Shopify/toxiproxy/v2.Version',
  takes: 'a minute',
});
