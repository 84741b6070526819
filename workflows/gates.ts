import type { Waiting } from '../model/operation.js';
import type { GateResult } from '../model/work.js';
import { formatVerdict } from '../model/verdict.js';
import type { Operation, PhaseInput } from './operation.js';
import { act } from './proxies.js';

/** How long an activity looks again by itself before the workflow shows that a gate blocks, ms. */
const PATIENCE_MS = 5000;
const FIRST_PAUSE_MS = 5000;
/** A look costs a dozen events of the history: with this, a gate may block for days before its 51,200 are used up. */
const LONGEST_PAUSE_MS = 300_000;

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
  /** Why a gate can't pass any more, however long it is held: ends the hold. */
  hopeless: (() => Error | undefined) | undefined;

  constructor(readonly operation: Operation) {}

  override(given: Override): void {
    this.#overrides.push({ ...given, used: false });
  }

  /**
   * Holds until every gate passes or is overridden. Looks again after a growing pause (5 s to 5 min), at once after an
   * override; shows each gate that blocks with its reason, since when, and what clears it. It is shown during the next
   * look too: an override that comes then is for it.
   */
  async hold(
    names: readonly string[],
    before: string,
    where: PhaseInput = {},
    handover?: { candidate: string; sinceRoleChangeMs?: number },
  ): Promise<void> {
    const { operation } = this;
    let shown: Waiting[] = [];
    this.#overrides = [];
    try {
      for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
        await operation.checkpoint();
        const hopeless = this.hopeless?.();
        if (hopeless) throw hopeless;
        const results = await act('checkGates', `gates ${before}`, {
          ...operation.order,
          gates: [...names, ...this.queries],
          ...(handover === undefined ? {} : { handover }),
          ...(where.shard === undefined ? {} : { shard: where.shard }),
          patienceMs: PATIENCE_MS,
        });
        const seen = this.#overrides.length;
        const blocking = results.filter((result) => !this.#passes(result, before, where));
        if (blocking.length === 0) return;
        const waiting = blocking.map((result) => this.#waiting(result, before, where));
        operation.show(waiting, shown);
        shown = waiting;
        await operation.until(
          () => this.#overrides.length > seen || operation.paused !== undefined || this.hopeless?.() !== undefined,
          pauseMs,
          `looks again at ${blocking.map(({ gate }) => gate).join(', ')} ${before}`,
        );
      }
    } finally {
      operation.show([], shown);
      this.#overrides = [];
    }
  }

  #passes({ gate, verdict }: GateResult, before: string, where: PhaseInput): boolean {
    const place = { ...(where.shard === undefined ? {} : { shard: where.shard }) };
    const known = this.operation.status.gates.find((it) => it.gate === gate && it.before === before);
    const record = this.operation.recordGate({ gate, before, verdict, ...place });
    if (known === undefined ? verdict.state !== 'pass' : false)
      this.operation.note('gate', `${gate}: ${formatVerdict(verdict)}`, where);
    if (verdict.state === 'pass') {
      if (known && known.since === record.since) return true;
      if (known) this.operation.note('gate', `${gate} passes now`, where);
      return true;
    }
    const given = this.#overrides.find(
      (it) => it.gate === gate && (it.shard === undefined || it.shard === where.shard),
    );
    if (!given) return false;
    if (given.used) return true;
    given.used = true;
    record.overriddenBy = { by: given.by, reason: given.reason, at: this.operation.now() };
    this.operation.note(
      'gate',
      `${gate} overridden by ${given.by}: ${given.reason} (it said: ${formatVerdict(verdict)})`,
      where,
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
