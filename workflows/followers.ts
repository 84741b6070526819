import { CancellationScope, isCancellation, setHandler } from '@temporalio/workflow';
import { classNow, isWorse, type FallbackOutlook, type StandbyNews } from '../model/fallback-class.js';
import { howFar } from '../model/follow-state.js';
import { familySignals } from '../model/names.js';
import type { Plan } from '../model/plan.js';
import type { StandbyNow } from '../model/fallback-work.js';
import { standbySignal, type StandbyCame } from './definitions.js';
import { messageOf, stopped } from './failure.js';
import { act } from './proxies.js';
import type { Run } from './run.js';

/**
 * The standbys of an operation. The root follows for those that are frozen, beside everything else and whatever happens to
 * its workers, and keeps the class that a fallback would have; a child tells it what became of which.
 */
export class Followers {
  readonly #running = new Map<string, { scope: CancellationScope; ended: Promise<void> }>();
  readonly #lost = new Map<string, string>();
  readonly #seen = new Map<string, NonNullable<StandbyNews['follow']>>();
  #planned: FallbackOutlook | undefined;

  constructor(readonly run: Run) {
    setHandler(standbySignal, (came) => this.tell(came));
  }

  /** From the plan on: what the policy and the two releases allow. */
  outlook(planned: Plan['fallback'], backlogMs?: number): void {
    if (!planned) return;
    const { policy, ...outlook } = planned;
    this.#planned = outlook;
    const { status } = this.run;
    status.fallback = {
      ...{ policy, ...outlook, since: this.run.now(), standbys: status.fallback?.standbys ?? [] },
      ...(backlogMs === undefined ? {} : { backlogMs }),
    };
  }

  /** Are standbys wanted, and of use? */
  get wanted(): boolean {
    const { fallback } = this.run.status;
    return fallback?.policy === 'standby' && this.#planned?.class === 'lossless';
  }

  /** What became of a standby: shown here, and at the root, which does what is to be done about it. */
  tell(came: StandbyCame): void {
    const { family } = this.run;
    this.#show(came);
    if (!family.isRoot) {
      // Whoever follows must know of it, however little else there is to tell.
      void family.tell(familySignals.standby, came);
      return;
    }
    if (came.state === 'frozen') this.#start(came.shard);
    if (came.state === 'serving' || came.state === 'removed') void this.stop(came.shard);
  }

  /** One that an earlier operation made; whoever is the root follows for it where it is frozen. */
  know({ shard, address, release, state }: StandbyNow): void {
    if (state === 'syncing' || state === 'frozen' || state === 'serving') this.tell({ shard, address, release, state });
  }

  /** Followers of what an earlier operation left frozen: what their primaries wrote since is in the backlogs, or copied anew. */
  async resume(): Promise<void> {
    const standbys = await act('readStandbys', 'standbys as they are', this.run.order);
    const serving = standbys.filter(({ state }) => state === 'serving').map(({ shard }) => shard);
    if (serving.length > 0)
      throw stopped(
        `a fallback of ${serving.join(', ')} has begun and not ended: bring it to its end first (rollout fallback ${this.run.status.deployment} --reason "…")`,
      );
    for (const standby of standbys) this.know(standby);
  }

  /** How far each is, and what it can't hold. */
  async look(): Promise<void> {
    const { status, order } = this.run;
    if (!status.fallback || status.fallback.standbys.length === 0) return;
    for (const { shard, follow } of await act('seeStandbys', 'how far the standbys are', order)) {
      if (!follow) continue;
      this.#seen.set(shard, follow);
      const known = status.fallback.standbys.find((it) => it.shard === shard);
      if (known) Object.assign(known, howFar(follow));
    }
    this.#judge();
  }

  /** Why nothing follows for a shard's standby any more. */
  lost(shard: string): string | undefined {
    return this.#lost.get(shard);
  }

  /** Going back without loss is over for a shard. */
  lose(shard: string, why: string): void {
    this.#lost.set(shard, why);
    const known = this.run.status.fallback?.standbys.find((it) => it.shard === shard);
    if (known) known.state = 'lost';
    this.#judge();
  }

  /** Ends one, or all; what was given to the standbys until then stays. */
  async stop(shard?: string): Promise<void> {
    const ending = [...this.#running].filter(([name]) => shard === undefined || name === shard);
    for (const [name, { scope }] of ending) {
      this.#running.delete(name);
      scope.cancel();
    }
    await Promise.all(ending.map(([, { ended }]) => ended));
  }

  #start(shard: string): void {
    if (this.#running.has(shard)) return;
    const scope = new CancellationScope({ cancellable: true });
    const ended = scope
      .run(() => act('follow', `follow ${shard} for its standby`, { ...this.run.order, shard }))
      .catch((error: unknown) => {
        if (isCancellation(error)) return;
        this.run.note('failure', `nothing follows ${shard} for its standby any more: ${messageOf(error)}`, { shard });
        this.lose(shard, messageOf(error));
      })
      .finally(() => this.#running.delete(shard));
    this.#running.set(shard, { scope, ended });
  }

  #show({ shard, address, release, state }: StandbyCame): void {
    const { fallback } = this.run.status;
    if (!fallback) return;
    const others = fallback.standbys.filter((it) => it.shard !== shard);
    fallback.standbys =
      state === 'removed'
        ? others
        : [...others, { shard, address, release, state }].sort((a, b) =>
            a.shard.localeCompare(b.shard, 'en', { numeric: true }),
          );
    this.run.publish();
  }

  #judge(): void {
    const { run } = this;
    const { fallback } = run.status;
    if (!fallback || !this.#planned) return;
    const shards = new Set([...this.#lost.keys(), ...this.#seen.keys()]);
    const now = classNow(
      this.#planned,
      [...shards].map((shard) => {
        const lost = this.#lost.get(shard);
        const follow = this.#seen.get(shard);
        return { shard, ...(follow ? { follow } : {}), ...(lost === undefined ? {} : { lost }) };
      }),
    );
    if (isWorse(now, fallback)) run.note('note', `going back is ${now.class} from here on: ${now.reason}`);
    const since = now.class === fallback.class ? fallback.since : run.now();
    delete fallback.except;
    Object.assign(fallback, now, { since });
    run.publish();
  }
}
