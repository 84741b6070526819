// @ts-check
import { readFile } from 'node:fs/promises';
import { dirname, extname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';

/**
 * Packages that are read with the programs, with all that they need: reading a hundred small files takes longer than
 * what is in them. The others are loaded from node_modules as ever, such as those that look for files of their own.
 */
const within = new Set(['@clack/prompts', 'commander', 'hdr-histogram-js', 'ioredis', 'yaml', 'zod']);

/**
 * Bundles programs, with chunks for what several of them share and for what is imported when it is needed.
 *
 * @param {string} root the project's folder
 * @param {readonly string[]} programs paths from there
 * @param {string} folder where `scripts/demo.ts` becomes `scripts/demo.mjs`
 */
export async function buildPrograms(root, programs, folder) {
  await build({
    entryPoints: programs.map((path) => join(root, path)),
    outdir: folder,
    outbase: root,
    absWorkingDir: root,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    outExtension: { '.js': '.mjs' },
    chunkNames: 'chunks/[name]-[hash]',
    // Classes and functions are called in messages as in the sources, even where two have one name.
    keepNames: true,
    sourcemap: 'linked',
    sourcesContent: false,
    logLevel: 'silent',
    banner: {
      js: `import{createRequire as createRequireOfProject}from'node:module';const require=createRequireOfProject(${JSON.stringify(pathToFileURL(join(root, 'package.json')).href)});`,
    },
    plugins: [
      { name: 'packages', setup: findPackages },
      { name: 'places', setup: keepPlaces },
    ],
  });
}

/** A package outside is imported by its path: the bundle lies elsewhere, where its name says nothing. */
function findPackages(/** @type {import('esbuild').PluginBuild} */ { onResolve, resolve }) {
  onResolve({ filter: /^[^./]/ }, async ({ path, importer, kind, resolveDir, pluginData }) => {
    if (pluginData === findPackages || path.startsWith('node:') || kind === 'entry-point') return;
    const [name] = /^(?:@[^/]+\/)?[^/]+/.exec(path) ?? [path];
    if (within.has(name) || importer.includes('/node_modules/')) return;
    const {
      path: file,
      namespace,
      errors,
    } = await resolve(path, { kind, importer, resolveDir, pluginData: findPackages });
    // What isn't there, such as a tool of the tests, is asked for when it is needed.
    if (errors.length > 0 || namespace !== 'file' || !file.startsWith('/')) return { path, external: true };
    return { path: kind.startsWith('require') ? file : pathToFileURL(file).href, external: true };
  });
}

/** A source goes on knowing where it lies: paths from there to pages, programs and folders stay true. */
function keepPlaces(/** @type {import('esbuild').PluginBuild} */ { onLoad }) {
  onLoad({ filter: /\.[cm]?[jt]s$/ }, async ({ path }) => {
    const text = await readFile(path, 'utf8');
    const contents = text
      .replaceAll(/\bimport\.meta\.url\b/g, JSON.stringify(pathToFileURL(path).href))
      .replaceAll(/\bimport\.meta\.dirname\b/g, JSON.stringify(dirname(path)))
      .replaceAll(/\bimport\.meta\.filename\b/g, JSON.stringify(path));
    return { contents, loader: extname(path).endsWith('ts') ? 'ts' : 'js' };
  });
}
