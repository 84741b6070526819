import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import {
  bundleWorkflowCode,
  DefaultLogger,
  type BundleOptions,
  type WorkflowBundleWithSourceMap,
} from '@temporalio/worker';
import { programOf } from '../launch/program.mjs';

const plainBundle = {
  workflowsPath: fileURLToPath(new URL('../workflows/index.ts', import.meta.url)),
  logger: new DefaultLogger('WARN'),
  // Loaded once for all workflows of a worker: it is most of what each of them would keep of its own.
  preloadModules: ['zod'],
};

/**
 * The workflows' code as one bundle: what a worker loads, and what the replay tests replay against.
 *
 * @param augment adds to it what only tests want: their own interceptors, the counting of coverage
 */
export const bundleWorkflows = (
  augment: (options: typeof plainBundle) => BundleOptions = (options) => options,
): Promise<WorkflowBundleWithSourceMap> => bundleWorkflowCode(augment(plainBundle));

/**
 * As bundleWorkflows, in a process that ends with it: a worker that bundles by itself keeps the bundler's 150 MB for ever.
 *
 * @param interceptors modules of workflow interceptors, which only tests want
 */
export async function bundleApart(interceptors: readonly string[] = []): Promise<WorkflowBundleWithSourceMap> {
  const { file, execArgv } = await programOf(fileURLToPath(new URL('./bundle-process.ts', import.meta.url)));
  const child = fork(file, interceptors, {
    execArgv,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  return new Promise((resolve, reject) => {
    child.once('message', (bundle) => resolve(bundle as WorkflowBundleWithSourceMap));
    child.once('error', reject);
    // After its message, this changes nothing.
    child.once('exit', (code, signal) =>
      reject(new Error(`the workflows could not be bundled: the bundler ended with ${signal ?? `exit code ${code}`}`)),
    );
  });
}
