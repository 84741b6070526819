import { CancellationScope, condition, executeChild, workflowInfo } from '@temporalio/workflow';
import { hookText, type HookCall, type HookEnd, type HookPoint, type PlannedHook } from '../model/hooks.js';
import { fail, pass, type Verdict } from '../model/verdict.js';
import { messageOf, stopped } from './failure.js';
import type { PhaseInput } from './operation.js';
import { act } from './proxies.js';
import type { Run } from './run.js';

/** What people have done at named points of an operation, beside what it does itself. */
export class Hooks {
  planned: readonly PlannedHook[] = [];
  /** Each is done once at one point: roles that change meanwhile bring the operation to it again. */
  readonly #done = new Set<string>();

  constructor(readonly run: Run) {}

  /**
   * Does what is to be done here, one after the other; holds or ends the operation where that fails and is meant to.
   *
   * @throws Stopped where a hook with `onFailure: abort` fails
   */
  async at(point: HookPoint, where: PhaseInput = {}): Promise<void> {
    for (const hook of this.planned.filter(({ at }) => at.includes(point))) {
      const call = this.#callOf(hook, point, where);
      if (this.#done.has(call.key)) continue;
      await this.run.checkpoint();
      await this.#do(hook, call, where);
      this.#done.add(call.key);
    }
  }

  /** At the end, whatever it is: nothing waits for them and nothing fails by them, but each is told how it ended. */
  async atEnd(result: string): Promise<void> {
    for (const hook of this.planned.filter(({ at }) => at.includes('ended')))
      await this.#try(hook, { ...this.#callOf(hook, 'ended', {}), result }, {}, () => false);
  }

  async #do(hook: PlannedHook, call: HookCall, where: PhaseInput): Promise<void> {
    const { run } = this;
    const attempt = (): Promise<HookEnd> => this.#try(hook, call, where, () => run.aborted !== undefined);
    if (hook.onFailure === 'hold')
      return run.gates.holdUntil(`hook:${hook.name}`, before(call), where, async () => verdictOf(await attempt()));
    const end = await attempt();
    if (end.result === 'failed' && hook.onFailure === 'abort')
      throw stopped(`${hook.name} failed ${call.point} (hooks, onFailure: abort): ${end.found}`);
  }

  async #try(hook: PlannedHook, call: HookCall, where: PhaseInput, givenUp: () => boolean): Promise<HookEnd> {
    const { run } = this;
    const entry = run.note('hook', `${call.hook} ${call.point}`, where);
    const begun = Date.now();
    try {
      const end = await this.#heeding(givenUp, () => (hook.workflow ? ofWorkflow(hook, call) : this.#activity(call)));
      entry.text = hookText(call, end);
      return end;
    } catch (error) {
      if (givenUp()) run.heedAbort();
      const end: HookEnd = { result: 'failed', found: messageOf(error), tookMs: Date.now() - begun };
      entry.text = hookText(call, end);
      return end;
    } finally {
      entry.until = run.now();
    }
  }

  #activity(call: HookCall): Promise<HookEnd> {
    return act('runHook', `${call.hook} ${call.point}`, { ...this.run.order, call });
  }

  /** An abort ends it, where the operation may be aborted still. */
  #heeding<T>(givenUp: () => boolean, attempt: () => Promise<T>): Promise<T> {
    return CancellationScope.cancellable(async () => {
      const doing = attempt();
      doing.catch(() => undefined);
      await Promise.race([doing.catch(() => undefined), condition(givenUp)]);
      CancellationScope.current().cancel();
      return doing;
    });
  }

  #callOf({ name: hook }: PlannedHook, point: HookPoint, where: PhaseInput): HookCall {
    const { status, order, home } = this.run;
    const { workflowId, root, runId } = workflowInfo();
    const place = { ...home, ...where };
    const to = status.hop ?? status.to;
    return {
      ...{ hook, point, deployment: status.deployment, from: status.from, to },
      ...{ operation: root?.workflowId ?? workflowId, run: root?.runId ?? runId },
      ...place,
      key: [order.operation, to, point.replace(' ', '-'), place.shard, place.node, hook]
        .filter((it) => it !== undefined)
        .join('/'),
    };
  }
}

/** Of a child of the operation: an attempt that was made again has another run of the same id. */
async function ofWorkflow({ workflow, timeout }: PlannedHook, call: HookCall): Promise<HookEnd> {
  const begun = Date.now();
  const result: unknown = await executeChild(workflow?.type ?? '', {
    workflowId: `${call.operation}/hook/${call.key}`,
    taskQueue: workflow?.taskQueue ?? '',
    args: [call],
    workflowExecutionTimeout: timeout,
    staticSummary: `${call.hook} ${call.point}`,
  });
  return { result: 'passed', found: textOf(result), tookMs: Date.now() - begun };
}

const MOST_TEXT = 200;
const textOf = (result: unknown): string =>
  result === undefined || result === null ? 'done' : JSON.stringify(result).slice(0, MOST_TEXT);

const before = ({ point, shard, node }: HookCall): string =>
  [point, node ?? shard].filter((it) => it !== undefined).join(' ');

const verdictOf = ({ result, found }: HookEnd): Verdict =>
  result === 'passed'
    ? pass(found)
    : fail(found, 'it succeeds, which is tried again ever less often, or somebody overrides it');
