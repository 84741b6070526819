import {
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  condition,
  defineSignal,
  defineUpdate,
  setHandler,
} from '@temporalio/workflow';
import type { z } from 'zod';
import {
  answer,
  ask,
  expire,
  isRefused,
  openDesk,
  openRecords,
  recordOf,
  type ApprovalDesk,
} from '../model/approvals.js';
import type { ApprovalPolicy, Policy } from '../model/deployment.js';
import { controlSchemas, inputProblems } from '../model/inputs.js';
import { familySignals, type ControlName } from '../model/names.js';
import type { Waiting } from '../model/operation.js';
import * as definitions from './definitions.js';
import type { Answered, Asked } from './definitions.js';
import { Aborted } from './failure.js';
import type { Family } from './family.js';
import type { Gates } from './gates.js';
import { whyPaused, type Operation } from './operation.js';

/** What became of somebody's act: refused and why, or what to say and do. */
type Outcome = { refused: string } | { done: string; act: () => void };
type Control = z.output<typeof controlSchemas.pause>;

/**
 * The people's side of an operation. Questions are asked and answered at the root, whatever workflow asks; pause, resume,
 * abort and overrides go from the root down to every running child.
 */
export class People {
  #desk: ApprovalDesk;
  readonly #answers = new Map<string, Answered>();
  /** Who waits for which answer: several shards may ask the same question. */
  readonly #askers = new Map<string, Set<string>>();

  constructor(
    readonly operation: Operation,
    readonly gates: Gates,
    readonly family: Family,
  ) {
    this.#desk = openDesk(operation.status.startedBy, {});
    this.#control('approve', controlSchemas.approve, (given) => this.#answer(given, 'approve'));
    this.#control('reject', controlSchemas.reject, (given) => this.#answer(given, 'reject'));
    this.#control('pause', controlSchemas.pause, (given) => this.#pause(given));
    this.#control('resume', controlSchemas.resume, (given) => this.#resume(given));
    this.#control('abort', controlSchemas.abort, (given) => this.#abort(given));
    this.#control('override', controlSchemas.override, (given) => this.#override(given));
    this.#control('fallback', controlSchemas.fallback, (given) => this.#fallBack(given));
    setHandler(definitions.askSignal, (asked: Asked) => this.#ask(asked));
    setHandler(definitions.answerSignal, (answered: Answered) => void this.#answers.set(answered.approval, answered));
  }

  set policy({ roles }: Policy) {
    this.#desk = { ...this.#desk, roles };
  }

  /** Asks, and waits for the quorum; throws Aborted when it is rejected. */
  async approval(
    name: string,
    policy: ApprovalPolicy,
    question: string,
    { shard, askedBy }: { shard?: string; askedBy?: string } = {},
  ): Promise<void> {
    const { operation, family } = this;
    const asked: Asked = {
      from: family.id,
      approval: name,
      question,
      policy,
      ...(shard === undefined ? {} : { shard }),
      ...(askedBy === undefined ? {} : { askedBy }),
    };
    if (family.isRoot) this.#ask(asked);
    else {
      family.tellRoot();
      await family.tell(familySignals.ask, asked);
    }
    await operation.waitFor(
      {
        kind: 'approval',
        name,
        reason: question,
        since: operation.now(),
        clears: `${policy.quorum} of ${policy.roles.join(' or ')} approve${policy.quorum === 1 ? 's' : ''}`,
        command: `rollout approve ${operation.status.deployment} --approval ${name}`,
        ...(shard === undefined ? {} : { shard }),
      },
      () => this.#answers.has(name),
    );
    const result = this.#answers.get(name);
    if (result?.decision === 'rejected') throw new Aborted(`${name} was rejected by ${result.by}`);
  }

  /** Waits until nobody's act is half done: an update that is being answered must not be cut off, nor a word to a child. */
  async finish(): Promise<void> {
    await condition(() => allHandlersFinished() && this.family.isSilent);
  }

  #control<Schema extends z.ZodType>(
    name: ControlName,
    schema: Schema,
    carryOut: (given: z.output<Schema>) => Outcome,
  ): void {
    const checked = (raw: unknown): Outcome => {
      const parsed = schema.safeParse(raw);
      if (!parsed.success) return { refused: inputProblems(parsed.error, raw) };
      const { result, deployment } = this.operation.status;
      if (result !== undefined)
        return { refused: `it has ended (${result}), and ${name} comes too late: rollout status ${deployment}` };
      return carryOut(parsed.data);
    };
    setHandler(defineSignal<[unknown]>(name), (raw) => {
      const outcome = checked(raw);
      if ('refused' in outcome) this.operation.note('control', `${name} was refused: ${outcome.refused}`);
      else outcome.act();
    });
    const accepted = (raw: unknown): Exclude<Outcome, { refused: string }> => {
      const outcome = checked(raw);
      if ('refused' in outcome) throw ApplicationFailure.nonRetryable(outcome.refused, 'Refused');
      return outcome;
    };
    setHandler(
      defineUpdate<string, [unknown]>(name),
      (raw) => {
        const { done, act } = accepted(raw);
        act();
        return done;
      },
      // Synchronous, as Temporal demands, and the same judgement: what is refused leaves no trace in the history.
      { validator: (raw) => void accepted(raw) },
    );
  }

  #answer({ by, approval, comment }: z.output<typeof controlSchemas.approve>, decision: 'approve' | 'reject'): Outcome {
    if (!this.family.isRoot) return { refused: `questions are answered at ${this.family.rootId}` };
    const { operation } = this;
    const given = {
      by,
      decision,
      now: operation.now(),
      ...(approval === undefined ? {} : { approval }),
      ...(comment === undefined ? {} : { comment }),
    };
    const name = approval ?? (openRecords(this.#desk)[0] ?? this.#desk.records.at(-1))?.approval ?? '';
    const desk = answer(this.#desk, given);
    if (isRefused(desk)) return desk;
    const { aborted } = operation;
    // Whoever repeats an answer for want of a reply gets it all the same.
    if (aborted && desk !== this.#desk) return { refused: `${this.#ending(aborted.by)}: no answer counts any more` };
    const record = recordOf(desk, name);
    const count = record?.answers.filter((it) => it.decision === 'approve').length ?? 0;
    const said =
      decision === 'reject'
        ? `${name} rejected by ${by}${comment === undefined ? '' : `: ${comment}`}`
        : `${name} approved by ${by} (${count} of ${record?.quorum ?? 1})${comment === undefined ? '' : `: ${comment}`}`;
    return {
      done: said,
      act: () => {
        const fresh = desk.records.some((it) => !this.#desk.records.includes(it));
        this.#show(desk);
        if (!fresh || !record) return;
        operation.note('approval', said);
        if (record.state !== 'approved' && record.state !== 'rejected') return;
        const answered: Answered = { approval: name, decision: record.state, by };
        this.#answers.set(name, answered);
        if (record.state === 'rejected') this.stop(by, said);
        for (const asker of this.#askers.get(name) ?? []) void this.family.tell(familySignals.answer, answered, asker);
      },
    };
  }

  #ask({ from, approval, question, policy, shard, askedBy }: Asked): void {
    const known = this.#answers.get(approval);
    if (known) {
      void this.family.tell(familySignals.answer, known, from);
      return;
    }
    if (from !== this.family.id) this.#askers.set(approval, new Set([...(this.#askers.get(approval) ?? []), from]));
    if (recordOf(this.#desk, approval)) return;
    const { operation } = this;
    const now = operation.now();
    this.#show(ask(this.#desk, { approval, question, policy, now, ...(askedBy === undefined ? {} : { askedBy }) }));
    operation.note('approval', `${approval} asked: ${question}`, shard === undefined ? {} : { shard });
    // An abort ends it, too.
    void CancellationScope.nonCancellable(() => this.#renew(approval)).catch(() => undefined);
  }

  /** Whoever asks, one clock decides: answers that are too old count no more, and the question stands anew. */
  async #renew(approval: string): Promise<void> {
    const { operation } = this;
    const answered = (): boolean => this.#answers.has(approval) || operation.status.result !== undefined;
    for (;;) {
      const open = recordOf(this.#desk, approval);
      if (!open || answered()) return;
      const leftMs = Math.max(Date.parse(open.expiresAt) - Date.now(), 1);
      if (await operation.until(answered, leftMs, `${approval} is asked anew at ${open.expiresAt}`)) return;
      this.#show(expire(this.#desk, open.expiresAt > operation.now() ? open.expiresAt : operation.now()));
      operation.note('approval', `${approval}: nobody decided in time, asked anew`);
    }
  }

  #show(desk: ApprovalDesk): void {
    this.#desk = desk;
    this.operation.status.approvals = [...desk.records];
    this.operation.publish();
  }

  #pause({ by, reason = '' }: Control): Outcome {
    const { operation } = this;
    if (operation.aborted) return { refused: this.#ending(operation.aborted.by) };
    if (operation.paused)
      return { refused: `it is paused already, by ${operation.paused.by} since ${operation.paused.since}` };
    return {
      done: `paused by ${by}; it holds before the next node`,
      act: () => {
        operation.paused = { by, reason, since: operation.now() };
        operation.status.asked = { what: 'pause', ...operation.paused };
        operation.note('control', `paused by ${by}${reason === '' ? '' : `: ${reason}`}`);
        operation.publish();
        this.family.forward('pause', { by, reason });
      },
    };
  }

  #resume({ by }: Control): Outcome {
    const { operation } = this;
    // Whoever paused one shard alone finds it shown at the root, and resumes it there.
    const paused = this.family.waitingFor(({ kind, reason }) => kind === 'pause' && reason !== this.#resumed);
    if (!operation.paused && paused.length === 0) return { refused: 'it is not paused' };
    return {
      done: `resumed by ${by}`,
      act: () => {
        const was = operation.paused;
        operation.paused = undefined;
        if (operation.status.asked?.what === 'pause') delete operation.status.asked;
        operation.note('control', `resumed by ${by}`);
        operation.publish();
        if (!was) for (const child of paused) void this.family.tell('resume', { by }, child);
        else {
          this.#resumed = whyPaused(was);
          this.family.forward('resume', { by });
        }
      },
    };
  }
  #ending(by: string): string {
    return this.operation.fallbackAsked
      ? `it is about to fall back, asked for by ${by}`
      : `it is being aborted, by ${by}`;
  }
  /** Of the last pause that was ended here: a child may show it for a moment more. */
  #resumed: string | undefined;

  #abort({ by, reason = 'no reason given' }: Control): Outcome {
    const { operation } = this;
    if (operation.aborted)
      return {
        refused: operation.fallbackAsked
          ? this.#ending(operation.aborted.by)
          : `it is being aborted already, by ${operation.aborted.by}`,
      };
    return {
      done: `aborted by ${by}; it ends as soon as the node in hand is back`,
      act: () => {
        operation.note('control', `abort by ${by}: ${reason}`);
        this.stop(by, reason);
      },
    };
  }

  /** Ends what is under way as an abort does; the operation then goes back, and does not end with it. */
  #fallBack({ by, reason, shard, restore }: z.output<typeof controlSchemas.fallback>): Outcome {
    const { operation, family } = this;
    if (!family.isRoot) return { refused: `a fallback is asked for at ${family.rootId}` };
    const { fallbackAsked, pointOfNoReturn } = operation;
    if (operation.status.operation === 'fallback') return { refused: 'it is a fallback already' };
    if (fallbackAsked) return { refused: `it falls back already, asked for by ${fallbackAsked.by}` };
    if (pointOfNoReturn !== undefined) return { refused: pointOfNoReturn };
    const shards = operation.status.shards.map((it) => it.shard);
    if (shard !== undefined && shards.length > 0 && !shards.includes(shard))
      return { refused: `shard: expected one of ${shards.join(', ')}, found ${shard}` };
    const what = shard ?? 'every shard';
    return {
      done: `falling back, asked for by ${by}: ${what}, as soon as the node in hand is back`,
      act: () => {
        operation.note('control', `fallback of ${what} by ${by}: ${reason}`, shard === undefined ? {} : { shard });
        operation.fallbackAsked = {
          ...{ by, reason },
          ...(shard === undefined ? {} : { shard }),
          ...(restore === undefined ? {} : { restore }),
        };
        operation.aborted ??= { by, reason };
        operation.status.asked = { what: 'fallback', by, reason, since: operation.now() };
        operation.publish();
        family.forward('abort', { by, reason });
      },
    };
  }

  /** Ends the operation and its children at the next safe point. */
  stop(by: string, reason: string): void {
    const { operation } = this;
    if (!operation.aborted) {
      operation.aborted = { by, reason };
      operation.status.asked = { what: 'abort', by, reason, since: operation.now() };
      operation.publish();
    }
    this.family.forward('abort', { by, reason });
  }

  #override({ by, gate, reason, shard }: z.output<typeof controlSchemas.override>): Outcome {
    if (gate === 'handover')
      return { refused: 'handover can not be overridden: an unfit successor would take the shard’s data with it' };
    const { waiting } = this.operation.status;
    const blocking = waiting.filter((it) => it.kind === 'gate');
    const isMeant = (it: Waiting): boolean =>
      it.kind === 'gate' && it.name === gate && (shard === undefined || it.shard === shard);
    if (!blocking.some(isMeant))
      return {
        refused:
          blocking.length === 0
            ? 'no gate blocks'
            : `${gate} doesn't block${shard === undefined ? '' : ` ${shard}`}; blocking: ${[...new Set(blocking.map((it) => `${it.name}${it.shard === undefined ? '' : ` (${it.shard})`}`))].join(', ')}`,
      };
    return {
      done: `${gate} overridden by ${by}, on record`,
      act: () => {
        const given = { by, gate, reason, ...(shard === undefined ? {} : { shard }) };
        this.operation.note('control', `${by} overrides ${gate}: ${reason}`);
        // It goes to whoever holds that gate now, and to nobody else: a later gate is a question of its own.
        if (waiting.some((it) => isMeant(it) && !this.family.isForeign(it))) this.gates.override(given);
        for (const child of this.family.waitingFor(isMeant)) void this.family.tell('override', given, child);
      },
    };
  }
}
