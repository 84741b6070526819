import { readFile } from 'node:fs/promises';
import type { WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { createWorker } from '../../workers/worker.js';
import { obeyCutOff } from './cut-off.js';
import { obeyDetours } from './detour.js';
import { FaultInterceptor } from './worker-faults.js';

/** What the worker of a stage is told. */
export interface WorkerProcessInput {
  deployments: string;
  state: string;
  /** The workflows' bundle (workers/bundle-file.ts). */
  bundleFile: string;
  /** Folder of the faults that befall it. */
  faults: string;
  /** Dead workers are missed soon (quick-retries.ts). */
  quickRetries: boolean;
}

// A worker as `rollout worker` runs it, in a process of its own that a test can kill.
const { deployments, state, bundleFile, faults, quickRetries } = JSON.parse(
  process.argv[2] ?? '{}',
) as WorkerProcessInput;
const bundle = JSON.parse(await readFile(bundleFile, 'utf8')) as WorkflowBundleWithSourceMap;
obeyCutOff(faults);
obeyDetours(faults);
const running = await createWorker({
  deployments,
  state,
  bundle,
  augment: ({ interceptors, ...options }) => ({
    ...options,
    interceptors: {
      ...interceptors,
      activity: [...(interceptors?.activity ?? []), () => ({ inbound: new FaultInterceptor(faults) })],
    },
    // How long a dead worker's workflows wait for it before another takes them.
    ...(quickRetries ? { stickyQueueScheduleToStartTimeout: '1 s' } : {}),
  }),
});
process.once('SIGTERM', () => running.worker.shutdown());
process.send?.('polling');
await running.run();
process.exit(0);
