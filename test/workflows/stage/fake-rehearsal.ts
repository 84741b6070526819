import { setTimeout as sleep } from 'node:timers/promises';
import { cancellationSignal, heartbeat } from '@temporalio/activity';
import type { BenchmarkRound } from '../../../model/benchmark.js';
import type { RolloutError } from '../../../model/failures.js';
import { stagingPolicy } from '../../../model/staging-policy.js';
import { signOffOf, type SignOff, type StagingRecord, type StagingStep } from '../../../model/staging.js';
import type { StagingActivities, StagingBeginning } from '../../../model/staging-work.js';
import type { FakeDeployment } from './fake-deployment.js';

const OLD = '5.0.6';
const NEW = '8.0.6';

/** The copy of a deployment without servers: what is done to it is noted; its upgrade is the real workflow, of a fake. */
export class FakeRehearsal implements StagingActivities {
  /** What was done, in order: `makeCopy`, `fillCopy shard-1`. */
  readonly done: string[] = [];
  readonly records: StagingRecord[] = [];
  readonly failingChecks = new Set<string>();
  /** 99th percentiles of the runs of each benchmark, by release, ms. */
  readonly latencies: Record<string, number[]> = { [OLD]: [10, 10, 10], [NEW]: [5, 5, 5] };
  /** Commands of clients that fail while it is upgraded. */
  failedCommands = 0;
  readonly #failures = new Map<string, RolloutError>();

  constructor(
    private readonly origin: FakeDeployment,
    private readonly copy: FakeDeployment,
    private readonly staging: unknown,
  ) {}

  /** Makes an act fail. */
  fail(act: string, error: RolloutError): void {
    this.#failures.set(act, error);
  }

  beginStaging = (): Promise<StagingBeginning> => {
    const { roles, approvals, people, ttlTolerance } = this.origin.deployment.policy;
    const staging = stagingPolicy.parse(this.staging);
    return this.#do('beginStaging', {
      ...{ backup: 'b1', takenAt: '2026-11-30T00:00:00.000Z', release: OLD, to: NEW, via: [], searchable: true },
      ...{ shards: [{ shard: 'shard-1', keys: 10 }], checks: ['cart'] },
      ...{ staging, policy: { roles, approvals, people, ttlTolerance } },
    });
  };
  makeCopy = (): Promise<{ nodes: number; seeds: string[] }> => {
    this.copy.turnBack();
    return this.#do('makeCopy', { nodes: 2, seeds: ['10.0.1.0:6379'] });
  };
  configureCopy = ({ soak }: { soak: boolean }): Promise<void> => this.#do(`configureCopy ${soak}`, undefined);
  fillCopy = ({ shard }: { shard: string }) =>
    this.#do(`fillCopy ${shard}`, {
      ...{ shard, selected: 10, written: 10, kept: 0, expired: 0, refused: 0, lacking: {}, bytes: 100, tookMs: 1 },
    });
  compareCopy = ({ shard, expiryToleranceMs }: { shard: string; expiryToleranceMs: number }) =>
    this.#do(`compareCopy ${shard}`, {
      ...{ shard, keys: 10, compared: 10, same: 10, different: 0, missing: 0, expired: 0, examples: [] },
      // As far off as it may be, where it may.
      ...(expiryToleranceMs > 0 ? { expiryOffMs: expiryToleranceMs } : {}),
    });
  tryCopy = (): Promise<StagingStep[]> =>
    this.#do('tryCopy', [{ name: 'expiry', result: 'passed', tookMs: 1, found: 'gone' }]);
  checkCopy = ({ check }: { check: string }): Promise<StagingStep> =>
    this.#do(`checkCopy ${check}`, {
      ...{ name: `check ${check}`, result: this.failingChecks.has(check) ? 'failed' : 'passed', tookMs: 1 },
      found: 'what it said',
    });
  benchmarkCopy = (): Promise<BenchmarkRound[]> => {
    const [release = ''] = this.copy.releases();
    return this.#do(
      `benchmarkCopy ${release}`,
      (this.latencies[release] ?? []).map((p99) => round(release, p99)),
    );
  };
  loadCopy = async () => {
    const signal = cancellationSignal();
    while (!signal.aborted) {
      heartbeat();
      await sleep(20);
    }
    const failed = this.failedCommands;
    return this.#do('loadCopy', {
      ...{ operations: 1000, failed, failures: failed > 0 ? { timeout: failed } : {} },
      ...{ p99Ms: 2, maxMs: 9, notes: [] },
    });
  };
  removeCopy = (): Promise<void> => this.#do('removeCopy', undefined);
  recordStaging = ({ record }: { record: StagingRecord }): Promise<void> => {
    this.records.unshift(record);
    return this.#do(`recordStaging ${record.decision}`, undefined);
  };
  readSignOff = (input: { deployment: string; from: string; to: string }): Promise<SignOff> => {
    const { validFor } = stagingPolicy.parse(this.staging);
    return this.#do('readSignOff', signOffOf(this.records, { ...input, validForMs: validFor, now: Date.now() }));
  };

  #do<T>(act: string, result: T): Promise<T> {
    const error = this.#failures.get(act);
    if (error) return Promise.reject(error);
    this.done.push(act);
    return Promise.resolve(result);
  }
}

const latency = (p99: number) => ({ mean: 1, p50: 1, p90: 2, p99, p999: 20, max: 30 });

const round = (release: string, p99: number): BenchmarkRound => ({
  ...{ at: new Date().toISOString(), release, throughput: { get: 50_000 } },
  load: {
    ...{ operations: 1000, failed: 0, failures: {}, ratePerSecond: 100, latency: latency(p99), notes: [] },
    ...{ classes: {}, late: { p99: 0.1, max: 0.2 } },
  },
  usage: { cpuMsPerThousand: 20, usedMemoryBytes: 1e6, fragmentation: 1.2, serviceUs: {} },
});
