import { appendFileSync, existsSync, linkSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { activityInfo, CancelledFailure, heartbeat, sleep } from '@temporalio/activity';
import type { ActivityExecuteInput, ActivityInboundCallsInterceptor, Next } from '@temporalio/worker';
import type { Activities } from '../../model/work.js';
import type {
  ArchiveActivities,
  BackupActivities,
  DrillActivities,
  RestoreActivities,
} from '../../model/backup-work.js';
import type { StagingActivities } from '../../model/staging-work.js';
import { watching } from './touches.js';

/** What befalls a worker at an activity. The first of several that fit befalls an attempt, so later ones befall its retries. */
export interface WorkerFault {
  activity: keyof (Activities &
    ArchiveActivities &
    BackupActivities &
    DrillActivities &
    RestoreActivities &
    StagingActivities);
  /** `after`: all was done, and nobody hears of it. */
  when: 'before' | 'during' | 'after';
  /**
   * `kill`: SIGKILL. `hang`: SIGSTOP; it wakes, a zombie, when the next attempt at the activity has begun or is over
   * (`wakes`), whatever became of it, or when it is told to (`wake`). `hold`, before or after: this one activity waits, its
   * worker well, until `letGo`.
   */
  kind: 'kill' | 'hang' | 'hold';
  /** Default `over`. */
  wakes?: 'begun' | 'over' | 'told';
  /**
   * For `during`: at the nth thing that is done to the world, or at the end where it is fewer; a text: at the first whose
   * description has it (touches.ts), such as `CLUSTER FAILOVER` or `spawn`. Default 1.
   */
  at?: number | string;
  /** How often, retries and the same activity elsewhere included. Default 1. */
  times?: number;
  /** Only where it is about this shard, or this node (`host:port`). */
  shard?: string;
  node?: string;
}

/** A fault that befell a worker. */
export interface Firing {
  /** Its place in the order in which faults were drawn. */
  fault: number;
  activity: string;
  attempt: number;
  /** The activity's execution, to be known by its next attempt. */
  execution: string;
  kind: WorkerFault['kind'];
  wakes: 'begun' | 'over' | 'told';
  pid: number;
}

/** How an attempt ended that had hung and woke. */
export interface Awakening {
  activity: string;
  /** Its failure's type, or `done` where it came to its end. */
  ended: string;
  message?: string;
}

/** The faults of a stage, in a folder that its workers share: each is claimed there, so a restart forgets nothing. */
export class WorkerFaults {
  constructor(readonly folder: string) {}

  /** Adds faults, before or while an operation runs: they hold from the next activity on. */
  async draw(...faults: readonly WorkerFault[]): Promise<void> {
    await this.#write([...(await this.read()), ...faults]);
  }

  async #write(all: readonly WorkerFault[]): Promise<void> {
    await mkdir(this.folder, { recursive: true });
    await writeFile(`${this.file}.partial`, JSON.stringify(all, null, 2));
    await rename(`${this.file}.partial`, this.file);
  }

  async read(): Promise<WorkerFault[]> {
    const text = await readFile(this.file, 'utf8').catch(() => '[]');
    return JSON.parse(text) as WorkerFault[];
  }

  /** What has happened so far. */
  async fired(): Promise<Firing[]> {
    const names = (await readdir(this.folder).catch(() => [])).filter((name) => name.startsWith('claim-'));
    return Promise.all(
      names.map(async (name) => JSON.parse(await readFile(join(this.folder, name), 'utf8')) as Firing),
    );
  }

  /** Waits until an activity is held that was not let go yet. */
  async held(): Promise<void> {
    const letGo = await readdir(this.folder);
    const holds = (await this.fired()).filter(({ kind, fault }) => kind === 'hold' && !letGo.includes(freeing(fault)));
    if (holds.length > 0) return;
    await setTimeout(50);
    return this.held();
  }

  /** Lets everybody go on who is held. */
  async letGo(): Promise<void> {
    for (const { kind, fault } of await this.fired())
      if (kind === 'hold') await writeFile(join(this.folder, freeing(fault)), '');
  }

  /** What has befallen nobody yet befalls nobody any more, and whoever is held goes on. */
  async withdraw(): Promise<void> {
    const fired = new Set((await this.fired()).map(({ fault }) => fault));
    await this.#write((await this.read()).map((fault, i) => (fired.has(i) ? fault : { ...fault, times: 0 })));
    await this.letGo();
  }

  /** Lets those go on who hang until they are told. */
  async wake(): Promise<void> {
    for (const { kind, wakes, pid } of await this.fired())
      if (kind === 'hang' && wakes === 'told') process.kill(pid, 'SIGCONT');
  }

  /** What became of attempts that hung, once they have come to an end. */
  async awakenings(): Promise<Awakening[]> {
    const text = await readFile(this.awakeningsFile, 'utf8').catch(() => '');
    return text.split('\n').filter(Boolean).map((line) => JSON.parse(line) as Awakening); // prettier-ignore
  }

  /** Faults that have not befallen anybody as often as they were to. */
  async unfired(): Promise<WorkerFault[]> {
    const fired = await this.fired();
    return (await this.read()).filter((fault, i) => fired.filter((it) => it.fault === i).length < (fault.times ?? 1));
  }

  get awakeningsFile(): string {
    return join(this.folder, 'awakenings.jsonl');
  }

  private get file(): string {
    return join(this.folder, 'faults.json');
  }
}

/** The file that lets go who is held by a fault. */
const freeing = (fault: number): string => `let-go-${fault}`;

/** Makes the faults of a folder happen to the worker that it runs in. */
export class FaultInterceptor implements ActivityInboundCallsInterceptor {
  readonly #faults: WorkerFaults;

  constructor(readonly folder: string) {
    this.#faults = new WorkerFaults(folder);
  }

  async execute(input: ActivityExecuteInput, next: Next<ActivityInboundCallsInterceptor, 'execute'>): Promise<unknown> {
    const { activityType, attempt, activityId, workflowExecution } = activityInfo();
    const execution = `${workflowExecution?.runId ?? ''}/${activityId}`;
    const drawn = (await this.#faults.read()).map((fault, index) => ({ ...fault, index }));
    const mine = drawn.filter((fault) => fault.activity === activityType && concerns(fault, input.args[0]));
    const struck = new Set<WorkerFault['kind']>();
    const befall = (...faults: readonly (WorkerFault & { index: number })[]): number | undefined => {
      const claimed = faults.find((fault) => this.#claim(fault, { activity: activityType, attempt, execution }));
      if (!claimed) return undefined;
      struck.add(claimed.kind);
      if (claimed.kind === 'hold') return claimed.index;
      process.kill(process.pid, claimed.kind === 'hang' ? 'SIGSTOP' : 'SIGKILL');
      return undefined;
    };

    if (attempt > 1) await this.#wake('begun', execution);
    await this.#hold(befall(...mine.filter(({ when }) => when === 'before')));
    const during = mine.filter(({ when }) => when === 'during');
    let touches = 0;
    const act = (): Promise<unknown> => next(input);
    try {
      const result =
        during.length === 0
          ? await act()
          : await watching((what) => {
              touches++;
              befall(...during.filter(({ at = 1 }) => (typeof at === 'string' ? what.includes(at) : at === touches)));
            }, act);
      befall(...during.filter(({ at = 1 }) => typeof at === 'number' && at > touches));
      await this.#hold(befall(...mine.filter(({ when }) => when === 'after')));
      if (struck.has('hang')) this.#ended({ activity: activityType, ended: 'done' });
      return result;
    } catch (error) {
      // An act that runs until it is told to end was done, too.
      if (error instanceof CancelledFailure) befall(...mine.filter(({ when }) => when === 'after'));
      const { type, name, message } = error as Error & { type?: string };
      if (struck.has('hang')) this.#ended({ activity: activityType, ended: type ?? name, message });
      throw error;
    } finally {
      if (attempt > 1) await this.#wake('over', execution);
    }
  }

  /** Ended by a cancellation, as any act that waits. */
  async #hold(fault: number | undefined): Promise<void> {
    while (fault !== undefined && !existsSync(join(this.folder, freeing(fault)))) {
      heartbeat();
      await sleep(50);
    }
  }

  #ended(awakening: Awakening): void {
    appendFileSync(this.#faults.awakeningsFile, `${JSON.stringify(awakening)}\n`);
  }

  /** Exclusive by the file system, and written before it strikes: it happens as often as it was drawn, no matter to whom. */
  #claim(
    { index, times = 1, kind, wakes = 'over' }: WorkerFault & { index: number },
    where: Pick<Firing, 'activity' | 'attempt' | 'execution'>,
  ): boolean {
    const firing: Firing = { fault: index, ...where, kind, wakes, pid: process.pid };
    mkdirSync(this.folder, { recursive: true });
    const own = join(this.folder, `claimant-${process.pid}`);
    writeFileSync(own, JSON.stringify(firing));
    try {
      for (let n = 1; n <= times; n++) if (linked(own, join(this.folder, `claim-${index}-${n}`))) return true;
      return false;
    } finally {
      rmSync(own);
    }
  }

  /** Lets earlier attempts at this activity go on that hang since. */
  async #wake(moment: 'begun' | 'over', execution: string): Promise<void> {
    for (const firing of await this.#faults.fired()) {
      const { kind, wakes, pid } = firing;
      if (kind === 'hang' && wakes === moment && firing.execution === execution && pid !== process.pid)
        try {
          process.kill(pid, 'SIGCONT');
        } catch {
          // It was ended meanwhile.
        }
    }
  }
}

function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** What an activity is about, as far as its input tells. */
interface Subject {
  shard?: string;
  place?: { address: string };
  places?: readonly { address: string }[];
  nodes?: readonly string[];
  node?: string;
  replica?: string;
  from?: string;
}

function concerns({ shard, node }: WorkerFault, input: unknown): boolean {
  const subject = input as Subject;
  const { place, places = [], nodes = [], node: returned, replica, from } = subject;
  const addresses = [place?.address, returned, replica, from, ...nodes, ...places.map(({ address }) => address)];
  return (shard === undefined || subject.shard === shard) && (node === undefined || addresses.includes(node));
}
