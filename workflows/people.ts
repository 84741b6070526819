import {
  allHandlersFinished,
  ApplicationFailure,
  condition,
  defineSignal,
  defineUpdate,
  setHandler,
} from '@temporalio/workflow';
import type { z } from 'zod';
import { controlInput, controlSchemas, inputProblems } from '../model/inputs.js';
import type { ControlName } from '../model/names.js';
import type { Waiting } from '../model/operation.js';
import { answerSignal, askSignal } from './definitions.js';
import type { Family } from './family.js';
import type { Gates } from './gates.js';
import { whyPaused, type Operation } from './operation.js';
import { endingOf, Questions, type Outcome } from './questions.js';

/** Of refusals that are put on record: Temporal takes 2,000 updates for a run. */
const MOST_REFUSED = 200;

const refusal = (why: string): ApplicationFailure => ApplicationFailure.nonRetryable(why, 'Refused');

/** Who they say they are, of whom nothing was taken. */
function claimedBy(raw: unknown): { by?: string } {
  const parsed = controlInput.pick({ by: true }).loose().safeParse(raw);
  return parsed.success ? { by: parsed.data.by } : {};
}

type Control = z.output<typeof controlSchemas.pause>;

/**
 * The people's side of an operation: what they are asked, and what they say unasked. Pause, resume, abort and overrides go
 * from the root down to every running child.
 */
export class People {
  readonly questions: Questions;
  #refused = 0;
  /** Of the last pause that was ended here: a child may show it for a moment more. */
  #resumed: string | undefined;

  constructor(
    readonly operation: Operation,
    readonly gates: Gates,
    readonly family: Family,
  ) {
    this.questions = new Questions(operation, family, (by, reason) => this.stop(by, reason));
    this.#control('approve', controlSchemas.approve, (given) => this.questions.answer(given, 'approve'));
    this.#control('reject', controlSchemas.reject, (given) => this.questions.answer(given, 'reject'));
    this.#control('pause', controlSchemas.pause, (given) => this.#pause(given));
    this.#control('resume', controlSchemas.resume, (given) => this.#resume(given));
    this.#control('abort', controlSchemas.abort, (given) => this.#abort(given));
    this.#control('override', controlSchemas.override, (given) => this.#override(given));
    this.#control('fallback', controlSchemas.fallback, (given) => this.#fallBack(given));
    setHandler(askSignal, (asked) => this.questions.ask(asked));
    setHandler(answerSignal, (answered) => this.questions.hear(answered));
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
    const refuse = (raw: unknown, why: string): void => {
      this.#refused++;
      this.operation.note('control', `${name} was refused: ${why}`, claimedBy(raw));
    };
    setHandler(defineSignal<[unknown]>(name), (raw) => {
      const outcome = checked(raw);
      if ('refused' in outcome) refuse(raw, outcome.refused);
      else outcome.act();
    });
    setHandler(
      defineUpdate<string, [unknown]>(name),
      (raw) => {
        const outcome = checked(raw);
        if ('refused' in outcome) {
          refuse(raw, outcome.refused);
          throw refusal(outcome.refused);
        }
        outcome.act();
        return outcome.done;
      },
      {
        // What is refused here leaves no trace in the history: only what is no input at all, or comes after so many that were
        // refused that somebody has nothing else in mind.
        validator: (raw) => {
          const outcome = checked(raw);
          if ('refused' in outcome && (this.#refused >= MOST_REFUSED || !schema.safeParse(raw).success))
            throw refusal(outcome.refused);
        },
      },
    );
  }

  #pause({ by, reason = '' }: Control): Outcome {
    const { operation } = this;
    if (operation.aborted) return { refused: endingOf(operation, operation.aborted.by) };
    if (operation.paused)
      return { refused: `it is paused already, by ${operation.paused.by} since ${operation.paused.since}` };
    return {
      done: `paused by ${by}; it holds before the next node`,
      act: () => {
        operation.paused = { by, reason, since: operation.now() };
        operation.status.asked = { what: 'pause', ...operation.paused };
        operation.note('control', `paused by ${by}${reason === '' ? '' : `: ${reason}`}`, { by });
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
        operation.note('control', `resumed by ${by}`, { by });
        operation.publish();
        if (!was) for (const child of paused) void this.family.tell('resume', { by }, child);
        else {
          this.#resumed = whyPaused(was);
          this.family.forward('resume', { by });
        }
      },
    };
  }

  #abort({ by, reason = 'no reason given' }: Control): Outcome {
    const { operation } = this;
    if (operation.aborted)
      return {
        refused: operation.fallbackAsked
          ? endingOf(operation, operation.aborted.by)
          : `it is being aborted already, by ${operation.aborted.by}`,
      };
    return {
      done: `aborted by ${by}; it ends as soon as the node in hand is back`,
      act: () => {
        operation.note('control', `abort by ${by}: ${reason}`, { by });
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
    if (operation.status.operation === 'staging')
      return { refused: 'it is a rehearsal, which takes back what it upgrades by itself' };
    if (operation.status.operation === 'restore') return { refused: 'it is a restore, of which nothing is taken back' };
    if (fallbackAsked) return { refused: `it falls back already, asked for by ${fallbackAsked.by}` };
    if (pointOfNoReturn !== undefined) return { refused: pointOfNoReturn };
    const shards = operation.status.shards.map((it) => it.shard);
    if (shard !== undefined && shards.length > 0 && !shards.includes(shard))
      return { refused: `shard: expected one of ${shards.join(', ')}, found ${shard}` };
    const what = shard ?? 'every shard';
    return {
      done: `falling back, asked for by ${by}: ${what}, as soon as the node in hand is back`,
      act: () => {
        operation.note('control', `fallback of ${what} by ${by}: ${reason}`, {
          by,
          ...(shard === undefined ? {} : { shard }),
        });
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
        this.operation.note('control', `${by} overrides ${gate}: ${reason}`, { by });
        this.operation.overrides.push({ gate, by });
        // It goes to whoever holds that gate now, and to nobody else: a later gate is a question of its own.
        if (waiting.some((it) => isMeant(it) && !this.family.isForeign(it))) this.gates.override(given);
        for (const child of this.family.waitingFor(isMeant)) void this.family.tell('override', given, child);
      },
    };
  }
}
