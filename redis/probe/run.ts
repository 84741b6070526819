import type { ProbeRecent } from '../../model/evidence.js';
import type { Endpoint } from '../connection.js';
import { connectAny } from './admission.js';
import type { ClientName, RunShard } from './entry.js';
import { defaultLimits, MOST_OPERATIONS_A_SECOND, type ProbeInput, type ProbeLimits } from './input.js';
import { ioredisClient, renamedForIoredis } from './ioredis-client.js';
import { Ledger } from './ledger.js';
import { OpenLoop } from './open-loop.js';
import { RawClient, type ProbeClient } from './raw-client.js';
import { Retirement } from './retirement.js';
import { percentile } from './rows.js';
import { Series } from './series.js';
import { tagsFor } from './slot.js';
import { RunStore } from './store.js';
import { Workload } from './workload.js';

const FLUSH_MS = 100;
const BEAT_MS = 500;
const WINDOW_MS = 10_000;
/** Tags a shard: enough to notice when some of its slots are elsewhere. */
const TAGS = 4;

/** Unix ms with fractions, from a clock that is never set back. */
const now = (): number => performance.timeOrigin + performance.now();

/** The probe itself, inside its process: schedules, records, and keeps what it knows on disk. */
export class ProbeRun {
  readonly #loops: OpenLoop[] = [];
  readonly #clients: { close(): void }[] = [];
  readonly #timers: NodeJS.Timeout[] = [];
  #tick: NodeJS.Timeout | undefined;
  #scheduling = true;
  #stoppedAt: number | undefined;

  private constructor(
    private readonly input: ProbeInput,
    private readonly limits: ProbeLimits,
    private readonly ledger: Ledger,
    private readonly store: RunStore,
  ) {}

  /** @throws RolloutError when no seed can be reached, or the user may not write and read the probe's keys */
  static async start(input: ProbeInput): Promise<ProbeRun> {
    const shards = input.shards.map(({ name, slots }) => ({ name, tags: tagsFor(slots, TAGS) }));
    await connectAny(input, shards);
    const streams = 4 * shards.length;
    const rate = Math.max(1, Math.min(input.policy.rate, Math.floor(MOST_OPERATIONS_A_SECOND / streams)));
    const renamed = renamedForIoredis(input.endpoint);
    const notes = [
      ...(rate < input.policy.rate
        ? [
            `${shards.length} shards at ${rate} operations a second each instead of ${input.policy.rate}: one probe process`,
          ]
        : []),
      ...(renamed.length > 0
        ? [
            `ioredis was left out: it can't send renamed commands (${renamed.join(', ')}), so only the raw client measured`,
          ]
        : []),
    ];
    const startedAt = now();
    const store = RunStore.create(input.folder, { prefix: input.policy.prefix, startedAt, rate, shards, notes });
    const ledger = new Ledger(store.folder, startedAt, shards.map(({ name }) => name)); // prettier-ignore
    const run = new ProbeRun(input, { ...defaultLimits, ...input.limits }, ledger, store);
    try {
      await run.#begin(shards, 1000 / rate, renamed.length > 0 ? ['raw'] : ['ioredis', 'raw']);
    } catch (error) {
      run.#end();
      throw error;
    }
    return run;
  }

  async #begin(shards: { name: string; tags: string[] }[], periodMs: number, names: ClientName[]): Promise<void> {
    const { seeds, endpoint, policy } = this.input;
    // One cluster client for all shards, as an application has it; writer and reader apart, so that neither waits in
    // the other's queues.
    const ioredis = names.includes('ioredis') ? await this.#ioredis(seeds, endpoint) : undefined;
    const workloads = shards.map(({ name, tags }) => {
      const shard: RunShard = { run: this.store.run.run, prefix: policy.prefix, shard: name, tags };
      return new Workload(shard, this.ledger, now);
    });
    const streams = workloads.flatMap((workload) =>
      names.flatMap((client) => (['write', 'read'] as const).map((operation) => ({ workload, client, operation }))),
    );
    const startedAt = now();
    for (const [i, { workload, client, operation }] of streams.entries()) {
      const series = new Series({ shard: workload.shard.shard, operation, client }, startedAt);
      const connection = client === 'ioredis' && ioredis ? ioredis[operation] : this.#raw();
      const next = operation === 'write' ? () => workload.write(client) : () => workload.read();
      const firstAt = startedAt + (i * periodMs) / streams.length;
      this.#loops.push(new OpenLoop(series, connection, next, { ...this.limits, periodMs, firstAt, now }));
    }
    const retirement = new Retirement(this.store.folder, this.ledger, workloads, names, this.limits.generations, () =>
      this.#raw(),
    );
    this.#every(FLUSH_MS, () => this.ledger.flush());
    this.#every(250, () => this.store.saveSome(this.#loops.map(({ series }) => series), this.#until())); // prettier-ignore
    this.#every(2000, () => void retirement.pass());
    this.#every(BEAT_MS, () => this.#closeSeconds(now() - Math.max(this.limits.deadlineMs, WINDOW_MS) - 2000));
    this.#schedule();
  }

  async #ioredis(seeds: string[], endpoint: Endpoint): Promise<Record<'write' | 'read', ProbeClient>> {
    const [write, read] = await Promise.all([ioredisClient(seeds, endpoint), ioredisClient(seeds, endpoint)]);
    this.#clients.push(write, read);
    return { write, read };
  }

  #raw(): RawClient {
    const client = new RawClient(this.input.seeds, this.input.endpoint, now);
    this.#clients.push(client);
    return client;
  }

  #every(ms: number, act: () => void): void {
    this.#timers.push(setInterval(act, ms));
  }

  #schedule(): void {
    const due = this.#loops.reduce((least, { nextAt }) => Math.min(least, nextAt), Infinity);
    const wait = Math.max(1, due - now());
    this.#tick = setTimeout(() => {
      const at = now();
      if (this.#scheduling) this.#send(at, due);
      for (const loop of this.#loops) loop.expire(at);
      this.#schedule();
    }, Math.min(wait, 50)); // prettier-ignore
  }

  #send(at: number, due: number): void {
    const late = at - due;
    if (late > 20) this.store.stood({ at: due, ms: late });
    if (late > this.limits.deadlineMs) {
      this.store.interrupted({ from: due, until: at, reason: 'the probe’s process stood still' });
      for (const loop of this.#loops) loop.skipTo(at);
    }
    for (const loop of this.#loops) loop.sendDue(at);
  }

  #closeSeconds(until: number): void {
    for (const { series } of this.#loops) series.close(until);
  }

  /** Until when a gap that is open counts: operations are scheduled, or still owed. */
  #until(): number {
    return this.#stoppedAt ?? now();
  }

  recent(): ProbeRecent[] {
    const at = now();
    return this.input.shards.map(({ name }) => {
      const loops = this.#loops.filter(({ series }) => series.name.shard === name);
      const since = at - WINDOW_MS;
      const windows = loops.map(({ series }) => series.window(since));
      // What is under way counts with its age: a stall must show while it lasts.
      const ages = loops.flatMap((loop) => loop.ages(since, at));
      const latencies = [...windows.flatMap((window) => window.latencies), ...ages].sort((a, b) => a - b);
      const failed = windows.reduce((sum, window) => sum + window.failed, 0);
      const operations = windows.reduce((sum, { ok }) => sum + ok, failed) + ages.length;
      const gap = (operation: 'write' | 'read'): number =>
        Math.max(
          0,
          ...loops.flatMap(({ series }) => (series.name.operation === operation ? [series.longestGapMs(at)] : [])),
        );
      return {
        shard: name,
        operations,
        failed,
        p99Ms: percentile(latencies, 99),
        errorRate: operations === 0 ? 0 : failed / operations,
        longestWriteGapMs: gap('write'),
        longestReadGapMs: gap('read'),
      };
    });
  }

  /** Everything known so far, on disk. */
  save(): void {
    this.ledger.flush();
    this.store.saveAll(this.#loops.map(({ series }) => series), this.#until()); // prettier-ignore
  }

  /** Schedules nothing more, and waits for what is under way: at the longest, for its deadline. */
  async stop(): Promise<void> {
    this.#scheduling = false;
    while (this.#loops.some(({ open }) => open > 0)) await new Promise((resolve) => setTimeout(resolve, 5));
    this.#stoppedAt = now();
    this.#end();
    this.#closeSeconds(Infinity);
    this.save();
    this.store.ended(this.#stoppedAt);
  }

  /** For a parent that is gone: keeps what is known, waits for nothing. */
  abandon(): void {
    this.#scheduling = false;
    this.#stoppedAt = now();
    this.#closeSeconds(Infinity);
    this.save();
    this.store.ended(this.#stoppedAt);
    this.#end();
  }

  #end(): void {
    clearTimeout(this.#tick);
    for (const timer of this.#timers) clearInterval(timer);
    for (const client of this.#clients) client.close();
  }
}
