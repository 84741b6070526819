import { access, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from './command.js';
import type { Route } from './route.js';
import { sha256, type Source } from './store.js';
import { writeLauncher } from './launcher.js';

const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** In the place of a suite's name: this machine's own sources, and only what isn't installed. */
const HOST = 'host';

/**
 * Debian packages without root and without touching the system: a private apt state per suite, the packages checked by
 * apt against the archive's signed index, unpacked into a folder. The mirror is the one that apt is configured with.
 */
export class Debian {
  readonly #states = new Map<string, Promise<string[]>>();

  constructor(
    /** A folder for apt's state, dropped at the end of the run. */
    readonly folder: string,
    readonly signal?: AbortSignal,
  ) {}

  /** Unpacks packages and those of their dependencies that `wanted` accepts into `root`. */
  async unpack(
    suite: string,
    packages: readonly string[],
    root: string,
    wanted: (name: string) => boolean,
  ): Promise<Source[]> {
    const options = await this.#stateOf(suite);
    const plan = await this.#run('apt-get', [...options, '-s', '--no-install-recommends', 'install', ...packages]);
    const names = [...plan.matchAll(/^Inst (\S+)/gm)].map((match) => match[1] ?? '').filter(wanted);
    const debs = `${root}.debs`;
    await mkdir(debs, { recursive: true });
    await mkdir(root, { recursive: true });
    await this.#run('apt-get', [...options, 'download', ...names], debs);
    const sources: Source[] = [];
    for (const name of (await readdir(debs)).sort()) {
      sources.push({ name, sha256: await sha256(join(debs, name)) });
      await this.#run('dpkg-deb', ['-x', join(debs, name), root]);
    }
    await rm(debs, { recursive: true });
    return sources;
  }

  /** Options of apt-get for a suite whose index has been fetched: once a run. */
  #stateOf(suite: string): Promise<string[]> {
    const state = this.#states.get(suite) ?? this.#prepare(suite);
    this.#states.set(suite, state);
    return state;
  }

  async #prepare(suite: string): Promise<string[]> {
    const architecture = (await this.#run('dpkg', ['--print-architecture'])).trim();
    const state = join(this.folder, suite);
    await mkdir(join(state, 'lists', 'partial'), { recursive: true });
    await mkdir(join(state, 'cache', 'archives', 'partial'), { recursive: true });
    const options = [
      ...(suite === HOST
        ? ['Dir::State::status=/var/lib/dpkg/status']
        : await this.#sourcesOf(suite, state, architecture)),
      `Dir::State=${state}`,
      `Dir::State::lists=${join(state, 'lists')}`,
      `Dir::Cache=${join(state, 'cache')}`,
      `APT::Architecture=${architecture}`,
      // As root apt would fetch as `_apt`, who may not write here.
      'APT::Sandbox::User=',
      'Acquire::Languages=none',
      'Acquire::Retries=2',
      'Acquire::http::Timeout=20',
      'Acquire::https::Timeout=20',
      'Debug::NoLocking=true',
      'Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false',
      'Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false',
    ].flatMap((option) => ['-o', option]);
    // An unreachable mirror would only be a warning, and the package "cannot be found" afterwards. Not so for the host's
    // own sources: one of several may well be out of reach.
    const strict = suite === HOST ? [] : ['-o', 'APT::Update::Error-Mode=any'];
    await this.#run('apt-get', ['-q', ...options, ...strict, 'update']);
    return ['-q', ...options];
  }

  /** Sources of a suite that need not be this machine's: nothing counts as installed, so that every library comes along. */
  async #sourcesOf(suite: string, state: string, architecture: string): Promise<string[]> {
    const mirror = process.env['ROLLOUT_DEBIAN_MIRROR'] ?? (await this.#configuredMirror());
    await access(keyring).catch(() => {
      throw new Error(`${keyring} is missing (package debian-archive-keyring)`);
    });
    const list = join(state, 'sources.list');
    await writeFile(join(state, 'status'), '');
    await writeFile(list, `deb [arch=${architecture} signed-by=${keyring}] ${mirror} ${suite} main\n`);
    return [
      `Dir::Etc::sourcelist=${list}`,
      'Dir::Etc::sourceparts=/dev/null',
      `Dir::State::status=${join(state, 'status')}`,
    ];
  }

  async #configuredMirror(): Promise<string> {
    const targets = await this.#run('apt-get', ['indextargets', '--format', '$(SITE)', 'Created-By: Packages']);
    const mirror = targets.split('\n').find((site) => /\/debian\/?$/.test(site));
    if (mirror === undefined)
      throw new Error('apt here is not configured for Debian (ROLLOUT_DEBIAN_MIRROR can name a mirror)');
    return mirror;
  }

  #run(program: string, args: readonly string[], cwd?: string): Promise<string> {
    return runCommand(program, args, {
      env: { LC_ALL: 'C' },
      ...(cwd === undefined ? {} : { cwd }),
      ...(this.signal ? { signal: this.signal } : {}),
    });
  }
}

/** What a server needs to run with its suite's own C library; not the init system that its package depends on. */
const runtime = (name: string): boolean =>
  /^(lib|zlib1g|lua-|redis-|valkey-|openssl-provider)/.test(name) &&
  !/^lib(pam|systemd-shared|semanage|audit)/.test(name);

/** A server of a Debian suite, whatever this machine's own suite is: it runs with its own loader and libraries. */
export function debianServer(suite: string, flavour: 'redis' | 'valkey'): Route {
  return {
    name: `Debian package (${suite})`,
    async obtain(folder, { debian }) {
      const packages = ['server', 'tools', 'sentinel'].map((part) => `${flavour}-${part}`);
      const root = join(folder, 'root');
      const sources = await debian.unpack(suite, packages, root, runtime);
      await prune(root);
      for (const part of ['server', 'cli', 'benchmark', 'sentinel'])
        await writeLauncher(folder, `${flavour}-${part}`, join('root', 'usr', 'bin', `${flavour}-${part}`));
      return sources;
    },
  };
}

/** Libraries of a suite beside programs that came another way but need them. */
export async function debianLibraries(
  debian: Debian,
  suite: string,
  packages: readonly string[],
  root: string,
): Promise<readonly Source[]> {
  const sources = await debian.unpack(suite, packages, root, runtime);
  await prune(root);
  return sources;
}

/** Documentation, locales and configuration: two thirds of the bytes, and nothing that a server reads. */
async function prune(root: string): Promise<void> {
  for (const folder of ['etc', 'var', 'lib/systemd', 'usr/lib/systemd'])
    await rm(join(root, folder), { recursive: true, force: true });
  const share = join(root, 'usr', 'share');
  for (const name of await readdir(share).catch(() => [] as string[]))
    if (name !== 'lua') await rm(join(share, name), { recursive: true, force: true });
}

/** A program from this machine's own suite, with those of its libraries that the system has not got. */
export function debianProgram(
  name: string,
  program: { as: string; path: string; alone?: boolean; beside?: readonly string[] },
): Route {
  return {
    name: `Debian package ${name}, unpacked`,
    async obtain(folder, { debian }) {
      const root = join(folder, 'root');
      const sources = await debian.unpack(
        HOST,
        [name, ...(program.beside ?? [])],
        root,
        (it) => it === name || program.alone !== true,
      );
      if (sources.length === 0) throw new Error(`apt says that ${name} is installed, but it is not on PATH`);
      await writeLauncher(folder, program.as, join('root', program.path), 'system');
      return sources;
    },
  };
}
