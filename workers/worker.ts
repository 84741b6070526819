import { resolve } from 'node:path';
import { Client, type Connection } from '@temporalio/client';
import {
  DefaultLogger,
  NativeConnection,
  Runtime,
  Worker,
  type WorkerOptions as TemporalWorkerOptions,
  type WorkflowBundleWithSourceMap,
} from '@temporalio/worker';
import { createActivities, FailureInterceptor } from '../activities/index.js';
import { deploymentsFolder } from '../integrations/deployment-files.js';
import { RolloutError } from '../model/failures.js';
import { searchAttributes, TASK_QUEUE } from '../model/names.js';
import { readBundle } from './bundle-file.js';
import { connectTemporal, settings } from './client.js';
import { collectReport, collectRoot } from './collect-report.js';
import { fateOf } from './run-fate.js';
import { boundHeaps, caching, collectStart } from './memory.js';
import { stateFolder } from './state-folder.js';

export interface WorkerOptions {
  /** Folder of the deployment files (default ROLLOUT_DEPLOYMENTS, else ./deployments). */
  deployments?: string;
  /** Folder for what operations keep (default ROLLOUT_STATE, else the user's state folder). */
  state?: string;
  /** A bundle made before, to start sooner. */
  bundle?: WorkflowBundleWithSourceMap;
  taskQueue?: string;
  /** `host:port` where Prometheus finds its metrics (default ROLLOUT_METRICS, else nowhere). */
  metrics?: string;
  /** Adds what only tests want: interceptors that make things fail. */
  augment?: (options: TemporalWorkerOptions) => TemporalWorkerOptions;
}

export interface RunningWorker {
  worker: Worker;
  address: string;
  namespace: string;
  deployments: string;
  state: string;
  searchable: boolean;
  /** Settles when the worker has drained and stopped. */
  run(): Promise<void>;
}

/**
 * A worker that polls the task queue of redis-rollout. It depends on no Redis: what it upgrades is never what it needs.
 *
 * @throws RolloutError NoTemporal, BadInput
 */
export async function createWorker(options: WorkerOptions = {}): Promise<RunningWorker> {
  installRuntime(options.metrics ?? process.env['ROLLOUT_METRICS']);
  boundHeaps();
  const deployments = resolve(options.deployments ?? deploymentsFolder());
  const state = resolve(options.state ?? stateFolder());
  const access = await connectTemporal();
  const { address, namespace } = access;
  const searchable = await hasSearchAttributes(access.connection, namespace);
  const { apiKey, metadata, tls } = settings().connectionOptions;
  const connection = await NativeConnection.connect({
    address,
    ...(typeof apiKey === 'string' ? { apiKey } : {}),
    ...(metadata === undefined ? {} : { metadata }),
    ...(tls === undefined ? {} : { tls }),
  });
  const client = new Client({ connection: access.connection, namespace });
  const workerOptions: TemporalWorkerOptions = {
    connection,
    namespace,
    taskQueue: options.taskQueue ?? TASK_QUEUE,
    workflowBundle: options.bundle ?? (await readBundle()),
    activities: createActivities({
      deployments,
      state,
      searchable,
      collectReport: (workflowId, runId) => collectReport(client.workflow, workflowId, runId),
      fateOf: (workflowId, runId) => fateOf(client.workflow, workflowId, runId),
      collectRoot: (workflowId, runId) => collectRoot(client.workflow, workflowId, runId),
    }),
    interceptors: { activity: [() => ({ inbound: new FailureInterceptor() })] },
    ...caching,
    // Cancellation reaches an activity with its heartbeats: the probe must hear of it soon.
    maxHeartbeatThrottleInterval: '1 s',
    // An activity is not cut off on SIGTERM: it has this long to come to its end, else another worker takes it over.
    shutdownGraceTime: '10 s',
    shutdownForceTime: '30 s',
  };
  const worker = await Worker.create(options.augment?.(workerOptions) ?? workerOptions);
  collectStart();
  return {
    worker,
    address,
    namespace,
    deployments,
    state,
    searchable,
    async run() {
      try {
        await worker.run();
      } finally {
        await connection.close();
        await access[Symbol.asyncDispose]();
      }
    },
  };
}

let installed = false;
/** Temporal's own log lines would run through the tables of `rollout`: only warnings are shown, on standard error. */
function installRuntime(metrics: string | undefined): void {
  if (installed) return;
  const options = { logger: new DefaultLogger('WARN'), shutdownSignals: [] };
  if (metrics === undefined || metrics === '') Runtime.install(options);
  else
    try {
      Runtime.install({ ...options, telemetryOptions: { metrics: { prometheus: { bindAddress: metrics } } } });
    } catch (error) {
      throw new RolloutError(
        'BadInput',
        `metrics can't be offered at '${metrics}', expected host:port that nobody listens at: ${error instanceof Error ? error.message : String(error)}`,
        { cause: error },
      );
    }
  installed = true;
}

/**
 * A workflow that upserts an attribute which isn't registered is retried for ever: so it is only done where all are.
 * They are registered here when that is allowed.
 */
async function hasSearchAttributes(connection: Connection, namespace: string): Promise<boolean> {
  const missing = async (): Promise<string[]> => {
    const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
    return Object.values(searchAttributes).filter((name) => customAttributes[name] === undefined);
  };
  try {
    const absent = await missing();
    if (absent.length === 0) return true;
    const KEYWORD = 2;
    await connection.operatorService.addSearchAttributes({
      namespace,
      searchAttributes: Object.fromEntries(absent.map((name) => [name, KEYWORD])),
    });
    return (await missing()).length === 0;
  } catch {
    return false;
  }
}
