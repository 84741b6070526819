import { existsSync } from 'node:fs';
import { readFile, rename, writeFile } from 'node:fs/promises';
import type { WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { bundleWorkflows, createWorker } from '../../workers/worker.js';

// A worker as `rollout worker` runs it, in a process of its own that a test can kill. The workflows are bundled once.
const [, , deployments = '', state = '', bundleFile = ''] = process.argv;
if (!existsSync(bundleFile)) {
  await writeFile(`${bundleFile}.partial`, JSON.stringify(await bundleWorkflows()));
  await rename(`${bundleFile}.partial`, bundleFile);
}
const bundle = JSON.parse(await readFile(bundleFile, 'utf8')) as WorkflowBundleWithSourceMap;
const running = await createWorker({ deployments, state, bundle });
process.once('SIGTERM', () => running.worker.shutdown());
process.send?.('polling');
await running.run();
process.exit(0);
