import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { WorkflowCoverage } from '@temporalio/nyc-test-coverage';
import type { WorkerOptions, WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { bundleWorkflows } from '../../../workers/bundle.js';
import { readBundle } from '../../../workers/bundle-file.js';

/**
 * Workflow bodies run in a sandbox that a test runner's coverage doesn't see. In a run of `npm run coverage`, which says so
 * by ROLLOUT_COVERAGE, they are instrumented themselves, and what was counted is written there; else nothing changes.
 */
export class CoverageOfWorkflows {
  readonly #folder = process.env['ROLLOUT_COVERAGE'];
  readonly #counted = new WorkflowCoverage();

  constructor() {
    // What @temporalio/nyc-test-coverage takes as the sign of such a run.
    if (this.#folder !== undefined) Object.assign(globalThis, { __coverage__: {} });
  }

  async bundle(): Promise<WorkflowBundleWithSourceMap> {
    if (this.#folder === undefined) return readBundle();
    return bundleWorkflows((options) => this.#counted.augmentBundleOptions(options));
  }

  ofWorker(options: WorkerOptions & { workflowBundle: NonNullable<WorkerOptions['workflowBundle']> }): WorkerOptions {
    return this.#folder === undefined ? options : this.#counted.augmentWorkerOptionsWithBundle(options);
  }

  async write(): Promise<void> {
    if (this.#folder === undefined) return;
    await mkdir(this.#folder, { recursive: true });
    const file = join(this.#folder, `${process.pid}-${Date.now()}.json`);
    await writeFile(file, JSON.stringify(this.#counted.coverageMapsData));
  }
}
