import { fork, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, Connection, WorkflowFailedError } from '@temporalio/client';
import { programOf } from '../../launch/program.mjs';
import { operationId, TASK_QUEUE } from '../../model/names.js';
import type { OperationStatus } from '../../model/operation.js';
import { bundleFile } from '../../workers/bundle-file.js';
import { startTemporal, type TemporalServer } from '../setup/temporal.js';
import type { SimulationOptions } from './attempts.js';
import type { Violation } from './invariants.js';
import { measureFamily, type FamilyMeasure } from './measure.js';
import type { Requests } from './worker-process.js';

const workerProcess = fileURLToPath(new URL('./worker-process.ts', import.meta.url));
const shortening = fileURLToPath(new URL('./short-histories.ts', import.meta.url));

/** An upgrade that stopped is started again as often as a patient person would, after its nodes were brought back. */
const MOST_TRIES = 12;

/** What became of one simulated deployment. */
export interface Upgraded {
  name: string;
  seed: number;
  /** Every node is upgraded, in replication and promotable: where the last try stopped, it was after that. */
  whole: boolean;
  /** How each try ended, in order. */
  results: NonNullable<OperationStatus['result']>[];
  /** Of the last try. */
  statement: string;
  violations: Violation[];
  steps: number;
  durationMs: number;
  runIds: string[];
}

/** A time-skipping Temporal server and a worker process with simulated deployments. */
export class Fleet implements AsyncDisposable {
  #next = 0;
  readonly #waiting = new Map<number, (answer: unknown) => void>();

  private constructor(
    private readonly temporal: TemporalServer,
    private readonly connection: Connection,
    readonly client: Client,
    private readonly worker: ChildProcess,
    private readonly folder: string,
  ) {
    worker.on('message', ({ id, answer }: { id: number; answer: unknown }) => {
      this.#waiting.get(id)?.(answer);
      this.#waiting.delete(id);
    });
  }

  /** @param options.shortHistories continue long before a history is long */
  static async open({ shortHistories = false }: { shortHistories?: boolean } = {}): Promise<Fleet> {
    const folder = await mkdtemp(join(tmpdir(), 'redis-rollout-simulation-'));
    const bundle = await bundleFile(shortHistories ? [shortening] : []);
    const temporal = await startTemporal({ timeSkipping: true });
    const connection = await Connection.connect({ address: temporal.address });
    const { file, execArgv } = await programOf(workerProcess);
    const worker = fork(file, [temporal.address, bundle, folder], {
      execArgv,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      // As bootstrap.mjs starts every worker.
      env: { ...process.env, MALLOC_ARENA_MAX: '1' },
    });
    await new Promise<void>((resolve, reject) => {
      worker.once('message', () => resolve());
      worker.once('exit', (code, signal) => reject(new Error(`the worker ended with ${signal ?? code}`)));
    });
    return new Fleet(temporal, connection, new Client({ connection }), worker, folder);
  }

  /** Upgrades a simulated deployment, starting again where it stops; never throws for how an upgrade ends. */
  async upgrade(name: string, options: SimulationOptions): Promise<Upgraded> {
    const begun = performance.now();
    await this.#ask('deploy', { name, options });
    const upgraded: Upgraded = {
      ...{
        name,
        seed: options.seed,
        whole: false,
        results: [],
        statement: '',
        violations: [],
        steps: 0,
        durationMs: 0,
        runIds: [],
      },
    };
    while (upgraded.results.length < MOST_TRIES && !upgraded.whole) {
      const handle = await this.client.workflow.start('upgrade', {
        workflowId: operationId(name),
        taskQueue: TASK_QUEUE,
        args: [{ deployment: name, to: '8.0', startedBy: 'simulation' }],
      });
      upgraded.runIds.push(handle.firstExecutionRunId);
      await handle.result().catch((error: unknown) => {
        if (!(error instanceof WorkflowFailedError)) throw error;
      });
      const status = await this.client.workflow.getHandle(operationId(name)).query<OperationStatus>('status');
      upgraded.results.push(status.result ?? 'stopped');
      upgraded.statement = status.statement ?? '';
      const { violations, steps, whole } = await this.#ask('ended', { name, status });
      upgraded.violations.push(...violations);
      Object.assign(upgraded, { steps, whole });
    }
    upgraded.durationMs = performance.now() - begun;
    return upgraded;
  }

  /** Histories and answers of an upgrade's last try. */
  measure({ name, runIds }: Upgraded): Promise<FamilyMeasure> {
    return measureFamily(this.client.workflow, { workflowId: operationId(name), runId: runIds.at(-1) ?? '' });
  }

  async forget({ name }: Upgraded): Promise<void> {
    await this.#ask('forget', { name });
  }

  memory(): Promise<Requests['memory']['answer']> {
    return this.#ask('memory', null);
  }

  #ask<Name extends keyof Requests>(name: Name, input: Requests[Name]['input']): Promise<Requests[Name]['answer']> {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      if (!this.worker.connected) {
        reject(new Error('the worker of the simulation has ended'));
        return;
      }
      this.#waiting.set(id, resolve as (answer: unknown) => void);
      this.worker.send({ id, name, input });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const gone = new Promise<void>((resolve) => this.worker.once('exit', () => resolve()));
    if (this.worker.connected) this.worker.disconnect();
    const force = setTimeout(() => this.worker.kill('SIGKILL'), 10_000);
    if (this.worker.exitCode === null && this.worker.signalCode === null) await gone;
    clearTimeout(force);
    await this.connection.close();
    await this.temporal.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}
