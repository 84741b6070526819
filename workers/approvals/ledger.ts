import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Memory, Posted } from '../../integrations/notify/channel.js';

/** What was told of one run by one route. */
interface RouteEntry {
  /** Ids of notifications, each once. */
  told: string[];
  posted: Record<string, Posted>;
}

interface RunEntry {
  /** When it was seen first, ISO 8601: what had happened long before is no news. */
  seenAt: string;
  routes: Record<string, RouteEntry>;
  /** It has ended, and everything of it was told. */
  done?: true;
}

/** Runs of a deployment that are remembered. */
const MOST_RUNS = 20;

/**
 * What was told of a deployment's runs, in one small file. Where it is lost, what happened within the last hour is told again,
 * with the same message ids.
 */
export class Ledger {
  #saving: Promise<void> = Promise.resolve();

  private constructor(
    readonly file: string,
    private readonly runs: Record<string, RunEntry>,
  ) {}

  /** @param of the deployment's own operations where it is left out */
  static async open(state: string, deployment: string, of?: 'staging'): Promise<Ledger> {
    const file = join(state, '_approvals', of ?? '', `${deployment}.json`);
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    try {
      return new Ledger(file, JSON.parse(await readFile(file, 'utf8')) as Record<string, RunEntry>);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' && !(error instanceof SyntaxError)) throw error;
      return new Ledger(file, {});
    }
  }

  /** The runs of which something may still be to tell. */
  get pending(): string[] {
    return Object.keys(this.runs).filter((run) => this.runs[run]?.done === undefined);
  }

  isDone(run: string): boolean {
    return this.runs[run]?.done === true;
  }

  /** @returns when it was seen first, Unix ms */
  async see(run: string, now: number): Promise<number> {
    const known = this.runs[run];
    if (known) return Date.parse(known.seenAt);
    this.runs[run] = { seenAt: new Date(now).toISOString(), routes: {} };
    for (const old of Object.keys(this.runs).slice(0, -MOST_RUNS)) Reflect.deleteProperty(this.runs, old);
    await this.#save();
    return now;
  }

  async finish(run: string): Promise<void> {
    const entry = this.runs[run];
    if (!entry || entry.done) return;
    entry.done = true;
    await this.#save();
  }

  told(run: string, route: string): ReadonlySet<string> {
    return new Set(this.runs[run]?.routes[route]?.told);
  }

  async tell(run: string, route: string, ids: readonly string[]): Promise<void> {
    this.#route(run, route).told.push(...ids);
    await this.#save();
  }

  memory(run: string, route: string): Memory {
    return {
      get: (id) => this.runs[run]?.routes[route]?.posted[id],
      put: async (id, posted) => {
        this.#route(run, route).posted[id] = posted;
        await this.#save();
      },
    };
  }

  #route(run: string, route: string): RouteEntry {
    const entry = (this.runs[run] ??= { seenAt: new Date().toISOString(), routes: {} });
    return (entry.routes[route] ??= { told: [], posted: {} });
  }

  /** Whole or not at all, one after the other. */
  #save(): Promise<void> {
    this.#saving = this.#saving
      .catch(() => undefined)
      .then(async () => {
        const text = JSON.stringify(this.runs);
        await writeFile(`${this.file}.new`, text, { mode: 0o600 });
        await rename(`${this.file}.new`, this.file);
      });
    return this.#saving;
  }
}
