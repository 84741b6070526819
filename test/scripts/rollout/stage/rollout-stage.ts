import { startTemporal, type TemporalServer } from '../../../../scripts/setup/temporal.js';
import type { CliOptions } from './cli.js';
import { startWorker } from './worker.js';

/** A Temporal server, a worker with the stage's workflows, and how a command reaches them. */
export class RolloutStage implements AsyncDisposable {
  readonly options: CliOptions;
  #worker: AsyncDisposable | undefined;

  private constructor(private readonly temporal: TemporalServer) {
    this.options = { env: { TEMPORAL_ADDRESS: temporal.address, NO_COLOR: '1' } };
  }

  static async open(): Promise<RolloutStage> {
    const stage = new RolloutStage(await startTemporal());
    await stage.startWorker();
    return stage;
  }

  async startWorker(): Promise<void> {
    this.#worker = await startWorker(this.temporal.address);
  }

  async stopWorker(): Promise<void> {
    await this.#worker?.[Symbol.asyncDispose]();
    this.#worker = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopWorker();
    await this.temporal.stop();
  }
}
