import { ActivityFailure, CancellationScope, CancelledFailure, TimeoutFailure } from '@temporalio/workflow';
import { compareBenchmarks, type BenchmarkRound } from '../model/benchmark.js';
import { formatDuration } from '../model/duration.js';
import { inParallel } from '../model/in-parallel.js';
import { loadToPlay } from '../model/staging-load.js';
import { copyName, operationId } from '../model/names.js';
import { stepText, type StagingRecord, type StagingStep } from '../model/staging.js';
import {
  sawNothing,
  type CopyOf,
  type LoadSeen,
  type LoadToPlay,
  type StagingBeginning,
} from '../model/staging-work.js';
import { messageOf, stopped } from './failure.js';
import type { Ended, Run } from './run.js';
import { acts, beside } from './staging-proxies.js';
import type { UpgradeResult } from './upgrade.js';

/** Each holds some megabytes on their way. */
const SHARDS_AT_ONCE = 4;
/** Of release: there, back, and there again. */
const CHANGES = 3;

type About = StagingBeginning & { of: CopyOf; startedBy: string };
type Tried = Pick<StagingStep, 'result' | 'found'>;
/** An upgrade that waits to be finalized; wrapped, since a promise that is returned would be waited for. */
interface Standing {
  upgrade: Promise<Ended<UpgradeResult>>;
}

/** What a rehearsal does to a copy, and what it finds: old, new, old again, new again, measured each time. */
export class Rehearsal {
  readonly steps: StagingStep[] = [];
  benchmarks: StagingRecord['benchmarks'] = [];
  readonly reports: string[] = [];
  keys = 0;
  readonly #load: LoadToPlay;
  readonly #copy: string;
  /** Of the copy's upgrade, whose id is the copy's lock. */
  readonly #id: string;
  #running: Promise<void> | undefined;

  constructor(
    private readonly all: Run,
    private readonly about: About,
  ) {
    this.#load = about.load ?? loadToPlay(about.staging.load, undefined, 0);
    this.#copy = copyName(all.status.deployment);
    this.#id = operationId(this.#copy);
  }

  async run(): Promise<void> {
    try {
      await this.#all();
    } catch (error) {
      // The copy can be taken away only once nobody works at it any more.
      this.all.family.endChildren(messageOf(error));
      await this.#running;
      throw error;
    }
  }

  async #all(): Promise<void> {
    const { release, to } = this.about;
    const [old, fresh]: [BenchmarkRound[], BenchmarkRound[]] = [[], []];
    await this.#make();
    await this.#content('content', 0);
    await this.#checks(release);
    old.push(...(await this.#benchmark(`on ${release}`)));
    const first = await this.#begin();
    fresh.push(...(await this.#benchmark(`on ${to}`)));
    await this.#takeBack(first);
    // What drifts with time, as a machine's neighbours do, would else be taken for the release's.
    old.push(...(await this.#benchmark(`on ${release} again`)));
    await acts.configureCopy.executeWithOptions({ summary: 'set soaks as for production' }, [
      { ...this.all.order, soak: true },
    ]);
    const second = await this.#begin();
    fresh.push(...(await this.#benchmark(`on ${to} again`)));
    await this.#trials();
    await this.#checks(to);
    await this.#finish(second);
    await this.#content('content, after all of it', CHANGES);
    this.#judge(old, fresh);
  }

  async #make(): Promise<void> {
    const { all, about } = this;
    const { of, release, shards } = about;
    all.phase('copying', `backup ${of.backup} of ${all.status.deployment} into ${this.#copy}, on ${release}`);
    await this.#step('copy', async () => {
      const { nodes } = await acts.makeCopy.executeWithOptions({ summary: `start ${this.#copy} on ${release}` }, [
        { ...all.order, ...of, release },
      ]);
      all.untouched = false;
      let bytes = 0;
      let masked: string | undefined;
      const lacking = new Map<string, number>();
      await inParallel(shards, SHARDS_AT_ONCE, async ({ shard }) => {
        await all.checkpoint();
        const filled = await acts.fillCopy.executeWithOptions({ summary: `load ${shard} of ${of.backup}` }, [
          { ...all.order, ...of, shard },
        ]);
        this.keys += filled.written;
        bytes += filled.bytes;
        masked = filled.masked;
        for (const [what, { count }] of Object.entries(filled.lacking))
          lacking.set(what, (lacking.get(what) ?? 0) + count);
      });
      const without = [...lacking].map(([what, count]) => `${count.toLocaleString('en')} ${what}`);
      return {
        result: 'passed',
        found: [
          `${this.keys.toLocaleString('en')} keys (${bytes.toLocaleString('en')} bytes) on ${nodes} nodes of ${release}`,
          ...(masked === undefined ? [] : [masked]),
          ...(without.length === 0 ? [] : [`without ${without.join(', ')}`]),
        ].join('; '),
      };
    });
  }

  /**
   * Every key of the backup, whatever the copy has been through since.
   *
   * @param changes of release: each is verified to move no expiry by more than `policy.ttlTolerance`
   */
  #content(name: string, changes: number): Promise<void> {
    const { all, about } = this;
    const expiryToleranceMs = changes * about.policy.ttlTolerance;
    all.phase('validating', 'every key of the backup against the copy');
    return this.#step(name, async () => {
      const bad: string[] = [];
      let compared = 0;
      let offMs = 0;
      await inParallel(about.shards, SHARDS_AT_ONCE, async ({ shard }) => {
        const it = await acts.compareCopy.executeWithOptions({ summary: `compare ${shard}` }, [
          { ...all.order, ...about.of, shard, expiryToleranceMs },
        ]);
        compared += it.compared;
        offMs = Math.max(offMs, it.expiryOffMs ?? 0);
        if (it.different + it.missing > 0)
          bad.push(
            `${shard}: ${it.different} keys differ and ${it.missing} are missing (${it.examples.slice(0, 3).join(', ')})`,
          );
      });
      if (bad.length > 0) return { result: 'failed', found: bad.join('; ') };
      const off =
        offMs === 0
          ? ''
          : `; expiries are off by ${formatDuration(offMs)} at the most, of ${formatDuration(expiryToleranceMs)} that ${changes} changes of release may cost`;
      return {
        result: 'passed',
        found: `${compared.toLocaleString('en')} keys compared with the backup, 0 different${off}`,
      };
    });
  }

  async #checks(release: string): Promise<void> {
    const { all, about } = this;
    for (const name of about.checks) {
      await all.checkpoint();
      const summary = `check ${name} on ${release}`;
      const step = await acts.checkCopy.executeWithOptions({ summary }, [{ ...all.order, check: name }]);
      this.#keep({ ...step, name: `${step.name}, on ${release}` });
    }
  }

  async #trials(): Promise<void> {
    this.all.phase('validating', `what ${this.about.to} keeps and lets expire, and the checks`);
    for (const step of await acts.tryCopy.executeWithOptions(
      { summary: 'compare replicas, save and load again, and have keys expire' },
      [this.all.order],
    ))
      this.#keep(step);
  }

  async #benchmark(when: string): Promise<BenchmarkRound[]> {
    const { all, about } = this;
    await all.checkpoint();
    const policy = about.staging.benchmark;
    all.phase('benchmarking', `${policy.rounds} runs ${when}`);
    let rounds: BenchmarkRound[] = [];
    await this.#step(`benchmark ${when}`, async () => {
      rounds = await acts.benchmarkCopy.executeWithOptions({ summary: `${policy.rounds} runs ${when}` }, [
        { ...all.order, shape: this.#load.shape, policy },
      ]);
      const operations = rounds.reduce((sum, { load }) => sum + load.operations, 0);
      const failed = rounds.reduce((sum, { load }) => sum + load.failed, 0);
      const notes = [...new Set(rounds.flatMap(({ load }) => load.notes))];
      return {
        result: failed === 0 ? 'passed' : 'failed',
        found: [
          `${rounds.length} runs, ${operations.toLocaleString('en')} operations, ${failed.toLocaleString('en')} failed`,
          ...(this.#load.source === undefined ? [] : [this.#load.source]),
          ...notes,
        ].join('; '),
      };
    });
    return rounds;
  }

  /** Upgrades the copy as production will be, under load, up to where it asks to be finalized. */
  async #begin(): Promise<Standing> {
    const { all, about } = this;
    const { to, via, startedBy } = about;
    all.phase('rehearsing', `the upgrade of ${this.#copy} to ${to}, under load`);
    const input = { deployment: this.#copy, to, via, startedBy };
    const upgrade = all.child<Ended<UpgradeResult>>('upgrade', this.#id, input, `${this.#copy}: a rehearsal`);
    let ended = false;
    this.#running = upgrade.then(
      () => void (ended = true),
      () => void (ended = true),
    );
    const asks = (): boolean =>
      all.family.waitingFor(({ kind, name }) => kind === 'approval' && name === 'finalize').includes(this.#id);
    await this.#step(`upgrade to ${to}`, () =>
      this.#underLoad(async () => {
        await all.until(() => ended || asks(), undefined, 'until it asks to be finalized');
        if (ended) throw stopped(`${this.#copy} was not upgraded: ${(await upgrade).statement}`);
        return `every node of ${this.#copy} runs ${to}`;
      }),
    );
    return { upgrade };
  }

  /** As somebody would who finds during the soak that clients are not well. */
  async #takeBack({ upgrade }: Standing): Promise<void> {
    const { all, about } = this;
    all.phase('rehearsing', `the fallback of ${this.#copy} to ${about.release}, under load`);
    await this.#step(`fallback to ${about.release}`, () =>
      this.#underLoad(async () => {
        await this.#tell('fallback', { by: about.startedBy, reason: 'a rehearsal' });
        const { result, statement, report } = await upgrade;
        this.reports.push(report);
        if (result !== 'fell back') throw stopped(`expected the upgrade to fall back, and it ended so: ${statement}`);
        return statement.split('\n')[0] ?? '';
      }),
    );
  }

  async #finish({ upgrade }: Standing): Promise<void> {
    this.all.phase('finalizing', `the upgrade of ${this.#copy}`);
    await this.#step('finalize', async () => {
      await this.#tell('approve', { by: 'staging', approval: 'finalize' });
      const ended = await upgrade;
      this.reports.push(ended.report);
      if (ended.result !== 'completed') throw stopped(`expected the upgrade to complete: ${ended.statement}`);
      return { result: 'passed', found: ended.statement.split('\n')[0] ?? '' };
    });
  }

  async #tell(signal: 'approve' | 'fallback', input: object): Promise<void> {
    if (!(await this.all.family.tell(signal, input, this.#id))) throw stopped(`${this.#copy} has no upgrade that runs`);
  }

  /** What clients saw meanwhile belongs to it: commands that failed fail it. */
  async #underLoad(act: () => Promise<string>): Promise<Tried> {
    const scope = new CancellationScope({ cancellable: true });
    const playing = scope.run(() =>
      beside.loadCopy.executeWithOptions({ summary: 'play traffic meanwhile' }, [
        { ...this.all.order, shape: this.#load.shape },
      ]),
    );
    playing.catch(() => undefined);
    let said: string;
    try {
      said = await act();
    } finally {
      scope.cancel();
      await playing.catch(() => undefined);
    }
    const { operations, failed, failures, p99Ms, maxMs } = await playing.catch(seenLast);
    const kinds = Object.entries(failures).map(([kind, count]) => `${kind} ${count}`);
    return {
      result: failed > 0 ? 'failed' : operations > 0 ? 'passed' : 'undecided',
      found: `${said.replace(/\.$/, '')}; ${operations.toLocaleString('en')} commands of clients meanwhile, ${failed.toLocaleString('en')} failed${kinds.length === 0 ? '' : ` (${kinds.join(', ')})`}, p99 ${formatDuration(p99Ms)}, the longest ${formatDuration(maxMs)}`,
    };
  }

  #judge(old: readonly BenchmarkRound[], fresh: readonly BenchmarkRound[]): void {
    const { targets, benchmark } = this.about.staging;
    this.benchmarks = compareBenchmarks(old, fresh, targets, benchmark);
    const judged = this.benchmarks.filter(({ target }) => target !== undefined);
    const of = (verdict: 'missed' | 'noise'): string[] =>
      judged.filter((it) => it.verdict === verdict).map(({ says }) => says);
    const [missed, noise] = [of('missed'), of('noise')];
    const result =
      missed.length > 0 ? 'failed' : noise.length > 0 ? 'undecided' : judged.length > 0 ? 'passed' : 'skipped';
    const found =
      [...missed, ...noise].join('; ') || (judged.length > 0 ? `${judged.length} met` : 'staging.targets names none');
    this.#keep({ name: 'targets', result, tookMs: 0, found });
  }

  async #step(name: string, act: () => Promise<Tried>): Promise<void> {
    const { all } = this;
    await all.checkpoint();
    const begun = Date.now();
    const keep = (tried: Tried): void => this.#keep({ name, tookMs: Date.now() - begun, ...tried });
    try {
      keep(await all.step(name, {}, act));
    } catch (error) {
      keep({ result: 'failed', found: messageOf(error) });
      throw error;
    }
  }

  #keep(step: StagingStep): void {
    this.steps.push(step);
    this.all.note('note', stepText(step));
  }
}

/** Nobody goes on with it whose worker dies once it was to end: what it told last is what was seen. */
function seenLast(error: unknown): LoadSeen {
  const cause = error instanceof ActivityFailure ? error.cause : undefined;
  if (!(cause instanceof TimeoutFailure) && !(cause instanceof CancelledFailure)) throw error;
  const last = cause instanceof TimeoutFailure ? (cause.lastHeartbeatDetails as LoadSeen | undefined) : undefined;
  return last ?? sawNothing;
}
