import { mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { ProbeGap, ProbeInterruption } from '../../model/evidence.js';
import type { RunFile } from './ledger.js';
import { keepLongest } from './rows.js';
import type { Series } from './series.js';

/** `progress.json`: what a run says of itself while it goes on. */
export interface RunProgress {
  endedAt?: number;
  stalls: ProbeGap[];
  interruptions: ProbeInterruption[];
}

/** A run is saved in turns, one whole round in so many calls: never a long pause in which nothing is sent. */
const TURNS = 8;

/** The folder of one run: `run.json`, `progress.json`, one `series-<n>.json` each, and the ledger beside them. */
export class RunStore {
  readonly #progress: RunProgress = { stalls: [], interruptions: [] };
  #turn = 0;

  private constructor(
    readonly folder: string,
    readonly run: RunFile,
  ) {}

  /** The first free number is claimed by making the folder: an earlier probe that is still ending keeps its own. */
  static create(folder: string, about: Omit<RunFile, 'run'>): RunStore {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const last = Math.max(0, ...readdirSync(folder).map((entry) => Number(/^run-(\d+)$/.exec(entry)?.[1] ?? 0)));
    for (let number = last + 1; ; number++) {
      const own = join(folder, `run-${number}`);
      try {
        mkdirSync(own);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EEXIST') continue;
        throw error;
      }
      const id = `${Math.floor(about.startedAt).toString(36)}${randomBytes(2).toString('hex')}`;
      const store = new RunStore(own, { run: id, ...about });
      store.#write('run.json', store.run);
      return store;
    }
  }

  stood(gap: ProbeGap): void {
    keepLongest(this.#progress.stalls, gap);
  }

  interrupted(interruption: ProbeInterruption): void {
    this.#progress.interruptions.push(interruption);
  }

  saveSome(series: readonly Series[], now: number): void {
    const turn = this.#turn++ % TURNS;
    for (const [i, each] of series.entries()) if (i % TURNS === turn) this.#write(`series-${i}.json`, each.save(now));
    if (turn === 0) this.#write('progress.json', this.#progress);
  }

  saveAll(series: readonly Series[], now: number): void {
    for (const [i, each] of series.entries()) this.#write(`series-${i}.json`, each.save(now));
    this.#write('progress.json', this.#progress);
  }

  ended(at: number): void {
    this.#progress.endedAt = at;
    this.#write('progress.json', this.#progress);
  }

  /** Whole or not at all, whenever the process is killed. */
  #write(name: string, content: unknown): void {
    const path = join(this.folder, name);
    writeFileSync(`${path}.new`, JSON.stringify(content));
    renameSync(`${path}.new`, path);
  }
}
