// @ts-check
// How programs of ours are started. Plain Node without dependencies: nothing else may be there yet.
import { dirname, join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { bundleOnce } from './bundle-once.mjs';
import { readSources } from './sources.mjs';

/**
 * How Node is told to run a program.
 *
 * @typedef {object} Program
 * @property {string[]} execArgv for Node itself
 * @property {string} file what it runs
 */

/**
 * A TypeScript file as a program: out of a bundle of the sources as they are now, which is made where nobody has asked
 * for it yet. Where that fails, and where a file is no program of the project's, it is read as it is, module by module.
 *
 * @param {string} source its path: of a script, or of a file that is named `…-process.ts`
 * @param {string} [root] the project's folder
 * @returns {Promise<Program>}
 */
export async function programOf(source, root = dirname(dirname(fileURLToPath(import.meta.url)))) {
  const { state, programs } = readSources(root);
  const path = relative(root, source);
  if (programs.includes(path))
    try {
      const folder = await bundleOnce({ root, programs, state });
      return { execArgv: ['--enable-source-maps'], file: join(folder, path.replace(/\.ts$/, '.mjs')) };
    } catch (error) {
      const reason = error instanceof Error ? error.message.trimEnd() : String(error);
      console.error(`redis-rollout: ${path} starts more slowly, since the programs could not be bundled: ${reason}`);
    }
  // The loader by its path: the working folder may be anywhere, and a bare name would be looked up from there.
  const loader = pathToFileURL(join(root, 'node_modules', 'tsx', 'dist', 'loader.mjs')).href;
  return { execArgv: ['--import', loader], file: source };
}
