import { chmod, mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';

/**
 * Writes `bin/<name>`, which runs a program of `folder/root` with the C library of that root, or of the system. Paths
 * are found from where the launcher lies, so that the folder can be moved. `exec`: the pid is the program's own.
 */
export async function writeLauncher(
  folder: string,
  name: string,
  program: string,
  loader: 'own' | 'system' = 'own',
): Promise<void> {
  const root = join(folder, 'root');
  const at = (path: string): string => `$here/${relative(folder, path)}`;
  const lines = ['#!/bin/sh', 'here=$(dirname "$(readlink -f "$0")")/..'];
  const lua = join(root, 'usr', 'share', 'lua', '5.1');
  const libraries = await libraryFolders(root);
  // bullseye's Redis has cjson and others as Lua's shared libraries, at paths of the system.
  if (libraries.some(({ hasLua }) => hasLua)) {
    const cpath = libraries.map(({ path }) => `${at(join(path, 'lua', '5.1'))}/?.so`).join(';');
    lines.push(`export LUA_CPATH="${cpath};;" LUA_PATH="${at(lua)}/?.lua;;"`);
  }
  if (loader === 'own') {
    const path = libraries.map((it) => at(it.path)).join(':');
    lines.push(`exec "${at(await loaderOf(root))}" --library-path "${path}" "$here/${program}" "$@"`);
  } else {
    if (libraries.length > 0)
      lines.push(
        `export LD_LIBRARY_PATH="${libraries.map((it) => at(it.path)).join(':')}\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"`,
      );
    // Chromium draws no text without a font configuration, and the system's may be among the packages just unpacked.
    const fonts = join(root, 'etc', 'fonts');
    if (await isDirectory(fonts)) lines.push(`export FONTCONFIG_PATH="${at(fonts)}"`);
    lines.push(`exec "$here/${program}" "$@"`);
  }
  await mkdir(join(folder, 'bin'), { recursive: true });
  await writeFile(join(folder, 'bin', name), lines.join('\n') + '\n');
  await chmod(join(folder, 'bin', name), 0o755);
}

const isDirectory = (path: string): Promise<boolean> =>
  stat(path).then(
    (it) => it.isDirectory(),
    () => false,
  );

async function libraryFolders(root: string): Promise<{ path: string; hasLua: boolean }[]> {
  const found: { path: string; hasLua: boolean }[] = [];
  for (const parent of [join(root, 'usr', 'lib'), join(root, 'lib')])
    for (const name of await readdir(parent).catch(() => [] as string[]))
      if (name.endsWith('-linux-gnu')) {
        const path = join(parent, name);
        found.push({ path, hasLua: (await readdir(path)).includes('lua') });
        for (const inside of await foldersOfLibraries(path)) found.push({ path: inside, hasLua: false });
      }
  return found;
}

/** A library that only some need lies one folder deeper, which an absolute RUNPATH names: `pulseaudio/libpulsecommon…`. */
async function foldersOfLibraries(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const inside = await Promise.all(
    entries
      .filter((it) => it.isDirectory())
      .map(async ({ name }) => ({ path: join(folder, name), files: await readdir(join(folder, name)) })),
  );
  return inside.filter(({ files }) => files.some((it) => /^lib.*\.so/.test(it))).map(({ path }) => path);
}

/** The dynamic loader itself: the links to it are absolute and lead out of the root. */
async function loaderOf(root: string): Promise<string> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const loader = entries.find((it) => it.isFile() && /^ld-(linux-.*\.so\.\d+|\d+\.\d+\.so)$/.test(it.name));
  if (loader === undefined) throw new Error(`no dynamic loader among the unpacked packages (libc6)`);
  return join(loader.parentPath, loader.name);
}
