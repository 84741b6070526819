import { CancellationScope, condition } from '@temporalio/workflow';
import { isFree, mayBegin, windowGate, type Calendar } from '../model/calendar.js';
import { lookOf, MOST_CHANGES } from '../model/gates/looks.js';
import { windowGateName } from '../model/gates/names.js';
import type { Waiting } from '../model/operation.js';
import { formatVerdict, type Verdict } from '../model/verdict.js';
import { timeNeeded } from '../model/windows.js';
import type { AssessActivities, GateResult } from '../model/work.js';
import { FallbackDue, stopped } from './failure.js';
import type { Operation, PhaseInput } from './operation.js';
import { act } from './proxies.js';

/** Between two attempts at what is held for until it succeeds, ms. */
const FIRST_PAUSE_MS = 15_000;
const LONGEST_PAUSE_MS = 30 * 60_000;

type GatesAsked = Parameters<AssessActivities['checkGates']>[0];

export interface Override {
  gate: string;
  shard?: string;
  by: string;
  reason: string;
}

/** Gates that are held, and the overrides given to them: each is for the hold that it was given to, and ends with it. */
export class Gates {
  #overrides: (Override & { used: boolean })[] = [];
  /** Names of the policy's PromQL gates: every hold asks them too. */
  queries: string[] = [];
  /** When something may be begun on a node; decided here, by the workflow's clock, and by no worker's. */
  calendar: Calendar = { windows: [] };
  /** Why a gate can't pass any more, however long it is held: ends the hold. */
  hopeless: (() => Error | undefined) | undefined;

  /** Of a fallback: who is down and has no slots holds nothing up. */
  excuseDown = false;
  /** Why a shard's standby can't be cut over to any more: ends a hold that waits for it. */
  lostStandby: ((shard: string) => Error | undefined) | undefined;

  constructor(readonly operation: Operation) {}

  override(given: Override): void {
    this.#overrides.push({ ...given, used: false });
  }

  /**
   * Holds until every gate passes or is overridden; shows each that blocks with its reason, since when, and what clears
   * it. An activity does the looking and comes back when all pass, when others block than before, or when its patience
   * is over; an override, a pause and an abort end a look at once. A gate is shown during the next look too: an override
   * that comes then is for it.
   */
  async hold(
    names: readonly string[],
    before: string,
    where: PhaseInput = {},
    asked: Pick<GatesAsked, 'handover' | 'watchMs'> = {},
    fallbackWhen?: { gates: readonly string[]; for: number },
  ): Promise<void> {
    const { operation } = this;
    const window = names.includes(windowGateName) && !isFree(this.calendar);
    const neededMs = timeNeeded(operation.plan, where.shard, where.node, asked.handover !== undefined);
    const gates = [...names.filter((name) => name !== windowGateName), ...this.queries];
    const { shard } = where;
    const hopelessNow = (): Error | undefined =>
      this.hopeless?.() ?? (names.includes('standby') && shard !== undefined ? this.lostStandby?.(shard) : undefined);
    let shown: Waiting[] = [];
    let changes = 0;
    this.#overrides = [];
    try {
      for (let round = 0; ;) {
        await operation.checkpoint();
        const hopeless = hopelessNow();
        if (hopeless) throw hopeless;
        const given = this.#overrides.length;
        const disturbed = (): boolean =>
          this.#overrides.length > given || operation.paused !== undefined || hopelessNow() !== undefined;
        const { patienceMs, pauseMs } = lookOf(round);
        const untilDueMs = this.#untilDueMs(shown, before, fallbackWhen);
        const heeded = round > 0 && changes < MOST_CHANGES;
        const looked = await this.#look(before, where, disturbed, {
          ...{ ...asked, gates },
          ...(this.excuseDown ? { excuseDown: true } : {}),
          // What is shown of the window is true until it opens.
          patienceMs: Math.min(patienceMs, untilDueMs, (window && this.#untilOpenMs(neededMs)) || Infinity),
          ...(heeded ? { blocked: shown.map(({ name }) => name).filter((name) => name !== windowGateName) } : {}),
        });
        if (looked === undefined) {
          round = 0;
          continue;
        }
        const lost = looked.find((it) => it.lost !== undefined)?.lost;
        if (lost !== undefined) throw stopped(`${shard ?? ''} was not cut over: ${lost}`, undefined, 'StandbyLost');
        const verdict = windowGate(this.calendar, Date.now(), neededMs);
        const results = window ? [...looked, { gate: windowGateName, verdict }] : looked;
        const blocking = results.filter((result) => !this.#passes(result, before, where));
        if (blocking.length === 0) {
          operation.note('check', `gates ${before}: ${held(results)}`, where);
          return;
        }
        const waiting = blocking.map((result) => this.#waiting(result, before, where));
        if (namesOf(waiting) !== namesOf(shown)) changes++;
        operation.show(waiting, shown);
        shown = waiting;
        const dueMs = this.#untilDueMs(shown, before, fallbackWhen);
        // While the window alone is closed nothing else is looked at; once it opens, everything is.
        const onlyWindow = blocking.every(({ gate }) => gate === windowGateName);
        const pause = onlyWindow ? this.#untilOpenMs(neededMs) : Math.min(pauseMs, dueMs);
        const said = await operation.until(disturbed, pause, `looks again at ${namesOf(waiting)} ${before}`);
        round = said || onlyWindow ? 0 : round + 1;
      }
    } finally {
      operation.show([], shown);
      this.#overrides = [];
    }
  }

  /**
   * As `hold`, for one thing that is tried and not looked at: again ever less often, until it passes or is overridden. That it
   * passed at once is no gate's to show.
   */
  async holdUntil(gate: string, before: string, where: PhaseInput, attempt: () => Promise<Verdict>): Promise<void> {
    const { operation } = this;
    let shown: Waiting[] = [];
    this.#overrides = [];
    try {
      for (let round = 0; ; round++) {
        await operation.checkpoint();
        const result: GateResult = { gate, verdict: await attempt() };
        if (round === 0 && result.verdict.state === 'pass') return;
        if (this.#passes(result, before, where)) return;
        const waiting = [this.#waiting(result, before, where)];
        operation.show(waiting, shown);
        shown = waiting;
        const overridden = (): boolean => this.#overrides.some((it) => it.gate === gate && isFor(it, where));
        const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** round, LONGEST_PAUSE_MS);
        await operation.until(() => overridden() || operation.paused !== undefined, pauseMs, `tries ${gate} again`);
        if (overridden() && this.#passes(result, before, where)) return;
      }
    } finally {
      operation.show([], shown);
      this.#overrides = [];
    }
  }

  /** Do all pass at this moment? Nothing is shown, and nothing waits. */
  async pass(names: readonly string[], before: string): Promise<boolean> {
    const { operation } = this;
    await operation.checkpoint();
    const asked = { gates: [...names, ...this.queries], patienceMs: 0, overridden: [] };
    const found = await act('checkGates', `gates ${before}`, { ...operation.order, ...asked });
    return found.every(({ verdict }) => verdict.state === 'pass');
  }

  /**
   * How long until a gate that blocks has done so for as long as policy.fallbackWhen allows, ms.
   *
   * @throws FallbackDue where one has
   */
  #untilDueMs(
    shown: readonly Waiting[],
    before: string,
    when: { gates: readonly string[]; for: number } | undefined,
  ): number {
    if (!when) return Infinity;
    const meant = this.operation.status.gates.filter(
      (it) => it.before === before && when.gates.includes(it.gate) && shown.some(({ name }) => name === it.gate),
    );
    const left = meant.map((record) => ({ record, ms: Date.parse(record.since) + when.for - Date.now() }));
    for (const { record, ms } of left)
      if (ms <= 0) throw new FallbackDue(record.gate, record.since, formatVerdict(record.verdict));
    return Math.max(1, Math.min(...left.map(({ ms }) => ms)));
  }

  /** One look; given up, and undefined, as soon as somebody wants something. */
  async #look(
    before: string,
    where: PhaseInput,
    disturbed: () => boolean,
    input: Omit<GatesAsked, 'deployment' | 'operation' | 'overridden'>,
  ): Promise<GateResult[] | undefined> {
    const { operation } = this;
    const overridden = this.#overrides.filter((it) => isFor(it, where)).map(({ gate }) => gate);
    const shard = where.shard === undefined ? {} : { shard: where.shard };
    return CancellationScope.cancellable(async () => {
      const found = await Promise.race([
        act('checkGates', `gates ${before}`, { ...operation.order, ...input, ...shard, overridden }),
        condition(() => disturbed() || operation.aborted !== undefined).then(() => undefined),
      ]);
      CancellationScope.current().cancel();
      return found;
    });
  }

  /** Until an opening that is long enough, ms: 0 while it is open, undefined where there is none. */
  #untilOpenMs(neededMs: number): number | undefined {
    const opens = mayBegin(this.calendar, Date.now(), neededMs);
    return opens === undefined ? undefined : opens - Date.now();
  }

  #passes({ gate, verdict }: GateResult, before: string, where: PhaseInput): boolean {
    const place = { ...(where.shard === undefined ? {} : { shard: where.shard }) };
    const known = this.operation.status.gates.find((it) => it.gate === gate && it.before === before);
    const was = known?.verdict.state;
    const record = this.operation.recordGate({ gate, before, verdict, ...place });
    if (verdict.state === 'pass') {
      if (was !== undefined && was !== 'pass') this.operation.note('gate', `${gate} passes now`, where);
      return true;
    }
    if (was === undefined) this.operation.note('gate', `${gate}: ${formatVerdict(verdict)}`, where);
    const given = this.#overrides.find((it) => it.gate === gate && isFor(it, where));
    if (!given) return false;
    if (given.used) return true;
    given.used = true;
    record.overriddenBy = { by: given.by, reason: given.reason, at: this.operation.now() };
    this.operation.note(
      'gate',
      `${gate} overridden by ${given.by}: ${given.reason} (it said: ${formatVerdict(verdict)})`,
      { ...where, by: given.by },
    );
    return true;
  }

  #waiting({ gate, verdict }: GateResult, before: string, { shard }: PhaseInput): Waiting {
    const { status } = this.operation;
    const record = status.gates.find((it) => it.gate === gate && it.before === before);
    return {
      kind: 'gate',
      name: gate,
      reason: `${before}: ${verdict.reason ?? verdict.state}`,
      since: record?.since ?? this.operation.now(),
      clears: verdict.state === 'pass' ? '' : verdict.clears,
      command: `rollout override ${status.deployment} --gate ${gate}${shard === undefined ? '' : ` --shard ${shard}`} --reason "…"`,
      ...(shard === undefined ? {} : { shard }),
    };
  }
}

/** `topology, memory pass; disk overridden` */
function held(results: readonly GateResult[]): string {
  const [passing, others] = [true, false].map((passes) =>
    results.flatMap(({ gate, verdict }) => ((verdict.state === 'pass') === passes ? [gate] : [])).join(', '),
  );
  return [passing && `${passing} pass`, others && `${others} overridden`].filter(Boolean).join('; ');
}

const isFor = ({ shard }: Override, where: PhaseInput): boolean => shard === undefined || shard === where.shard;

const namesOf = (waiting: readonly Waiting[]): string => waiting.map(({ name }) => name).join(', ');
