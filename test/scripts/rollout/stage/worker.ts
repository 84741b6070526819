import { NativeConnection, Worker, type WorkflowBundleWithSourceMap, bundleWorkflowCode } from '@temporalio/worker';
import { join } from 'node:path';
import { TASK_QUEUE } from '../../../../model/names.js';

let bundle: Promise<WorkflowBundleWithSourceMap> | undefined;

/** A worker that carries out the stage's workflows until it is disposed of. */
export async function startWorker(address: string): Promise<AsyncDisposable> {
  bundle ??= bundleWorkflowCode({
    workflowsPath: join(import.meta.dirname, 'workflows.ts'),
    logger: {
      log: () => undefined,
      trace: () => undefined,
      debug: () => undefined,
      info: () => undefined,
      warn: console.warn,
      error: console.error,
    },
  });
  const connection = await NativeConnection.connect({ address });
  const worker = await Worker.create({ connection, taskQueue: TASK_QUEUE, workflowBundle: await bundle });
  const running = worker.run();
  return {
    async [Symbol.asyncDispose]() {
      worker.shutdown();
      await running;
      await connection.close();
    },
  };
}
