import { CancellationScope, ContinueAsNew, executeChild, workflowInfo } from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import type { z } from 'zod';
import { approvalName } from '../model/approvals.js';
import { inputProblems, workflowSchemas } from '../model/inputs.js';
import { operationId, stagingWorkflowId, type WorkflowType } from '../model/names.js';
import type { OperationStatus } from '../model/operation.js';
import { standingOf, type Running } from '../model/standing.js';
import type { ApprovalPolicy } from '../model/policy.js';
import type { Assessment, NodePlace, ShardNow } from '../model/work.js';
import { AuditTrail } from './audit.js';
import { notEnded } from './earlier.js';
import { Aborted, FellBack, badInput, ending, failureTypeOf, messageOf, stopped } from './failure.js';
import { Family } from './family.js';
import { Followers } from './followers.js';
import { Gates } from './gates.js';
import { Hooks } from './hooks.js';
import { Operation } from './operation.js';
import { People } from './people.js';
import { act } from './proxies.js';
import { readRunning } from './read-running.js';
import { memoFor, rootOf } from './root.js';

type InputOf<Type extends WorkflowType> = z.output<(typeof workflowSchemas)[Type]>;

/** An upgrade's end as its result: a completed one's findings, or that it was aborted and where it stands. */
export type Ended<Result> = { statement: string; report: string } & (
  ({ result: 'completed' } & Result) | { result: 'aborted' | 'fell back' }
);

/** What a workflow needs at hand to be written like a runbook: phases, gates, people, children, and what was assessed. */
export class Run extends Operation {
  readonly gates = new Gates(this);
  readonly family = new Family(this);
  readonly people = new People(this, this.gates, this.family);
  readonly followers = new Followers(this);
  readonly audit = new AuditTrail(this);
  readonly hooks = new Hooks(this);
  readonly #places = new Map<string, NodePlace>();
  /** One hop of several: what people are asked carries its release. */
  #isHop = false;
  #assessment: Assessment | undefined;

  /**
   * Runs one operation from its raw input to its end: a bad input or a wrong id fails at once, an abort ends as a result,
   * anything else as a failure with a statement of where everything stands.
   */
  static async of<Type extends WorkflowType, Result extends object>(
    type: Type,
    raw: unknown,
    body: (run: Run, input: InputOf<Type>) => Promise<Result>,
  ): Promise<Ended<Result>> {
    const parsed = workflowSchemas[type].safeParse(raw);
    if (!parsed.success) throw badInput('BadInput', `${type}: ${inputProblems(parsed.error, raw)}`);
    const input = parsed.data as InputOf<Type>;
    holdTheLock(type, input.deployment);
    const run = new Run(type, input);
    if ('shard' in input) run.home = { shard: input.shard };
    if ('hop' in input) run.#isHop = input.hop;
    // A request to cancel is an abort: a node that is out must come back first.
    CancellationScope.current().cancelRequested.catch(() =>
      run.people.stop('a request to cancel', 'the workflow was cancelled'),
    );
    return CancellationScope.nonCancellable(async () => {
      let outcome: Result | undefined;
      let failure: unknown;
      try {
        const done = await body(run, input);
        // Whoever was told that it is aborted finds it so, though nothing was left to do.
        run.heedAbort();
        outcome = done;
        run.#end(
          'completed',
          run.concluded ?? `every node ${type === 'fallback' ? 'that was asked for ' : ''}runs ${run.status.to}`,
        );
      } catch (error) {
        // Not an end: the next run goes on.
        if (error instanceof ContinueAsNew) throw error;
        failure = error;
        const ofNodes = type !== 'restore' && type !== 'staging' && run.family.isRoot && !run.untouched;
        const running = ofNodes ? await readRunning(run) : undefined;
        const result = error instanceof FellBack ? 'fell back' : run.isControl(error) ? 'aborted' : 'stopped';
        run.#end(result, messageOf(error), running);
      }
      if (run.family.isRoot) await run.hooks.atEnd(run.status.result ?? '');
      await run.audit.end();
      const report = run.family.isRoot ? await run.#report() : '';
      // What a child completed is in its result; how far it came otherwise has to be told.
      if (!outcome) run.family.tellRoot();
      await run.people.finish();
      const { statement = '' } = run.status;
      if (outcome) return { ...outcome, result: 'completed', statement, report };
      if (failure instanceof FellBack) return { result: 'fell back', statement, report };
      const halted = { untouched: run.untouched, to: run.status.to };
      // Where everything stands is the root's to say: a child hands up its reason alone.
      if (!run.isControl(failure))
        throw ending(failureTypeOf(failure) ?? 'Stopped', run.family.isRoot ? statement : messageOf(failure), halted);
      if (!run.family.isRoot) throw ending('Aborted', messageOf(failure), halted);
      return { result: 'aborted', statement, report };
    });
  }

  get assessment(): Assessment {
    if (!this.#assessment) throw stopped('the deployment was not assessed yet');
    return this.#assessment;
  }

  /** Was it a person who ended this, here or in a child? */
  isControl(error: unknown): boolean {
    return error instanceof Aborted || failureTypeOf(error) === 'Aborted';
  }

  /** From now on this is what the deployment is like, and its policy. */
  adopt(found: Assessment): void {
    this.#assessment = found;
    this.searchable = found.searchable;
    this.people.questions.policy = found.policy;
    this.gates.calendar = found.policy;
    this.hooks.planned = found.hooks ?? [];
    this.gates.queries = found.policy.gates.prometheus?.queries.map(({ name }) => name) ?? [];
    this.audit.begin();
  }

  /** A shard as it is now. */
  look(shard: string): Promise<ShardNow> {
    return act('readShard', `look at ${shard}`, { ...this.order, shard });
  }

  /** Where a node lives; with the first question of a shard's node its backlog is enlarged where the plan says so. */
  async placeOf(address: string, shard: string): Promise<NodePlace> {
    const known = this.#places.get(address);
    if (known) return known;
    const planned = this.plan?.shards.find((it) => it.shard === shard);
    // All of them at once, so that every backlog is large enough before the first node goes away.
    const members = planned ? [planned.primary, ...planned.replicas] : [];
    const nodes = members.includes(address) ? members : [address];
    this.untouched = false;
    const places = await this.step('prepare', { shard }, () =>
      act('prepareShard', `prepare ${nodes.length === 1 ? address : shard}`, {
        ...this.order,
        nodes,
        ...(planned?.backlogBytes === undefined ? {} : { backlogBytes: planned.backlogBytes }),
        ...(this.assessment.policy.fallback === 'none' ? {} : { fallback: true }),
      }),
    );
    for (const place of places) this.#places.set(place.address, place);
    const found = this.#places.get(address);
    if (!found) throw stopped(`${address} was not found where ${shard} lives`);
    return found;
  }

  /** Puts back what was changed for the upgrade alone; what can't be now is left noted beside the node. */
  async putBack(shard: string, members: string[]): Promise<void> {
    const places = [...this.#places.values()];
    if (places.length === 0) return;
    await this.step('put settings back', { shard }, () =>
      act('putBackShard', `put back ${shard}`, { ...this.order, places, members }),
    ).catch(() => undefined);
  }

  /** Waits for people where the policy asks; a handover is asked once, or for each shard. */
  async approval(
    name: 'start' | 'handover' | 'finalize',
    policy: (ApprovalPolicy & { per?: 'upgrade' | 'shard' }) | undefined,
    question: string,
    shard?: string,
  ): Promise<void> {
    await this.checkpoint();
    if (!policy) return;
    const { phase, reason } = this.status;
    this.phase('awaiting approval', question, shard === undefined ? {} : { shard });
    const each = policy.per === 'shard' && shard !== undefined;
    await this.people.questions.approval(
      approvalName(name, { ...(this.#isHop ? { hop: this.status.to } : {}), ...(each ? { shard } : {}) }),
      policy,
      each ? question : overall(name, this.status),
      shard === undefined ? {} : { shard },
    );
    Object.assign(this.status, { phase, reason });
    this.publish();
  }

  /** Runs a child under this operation; controls reach it, and what it waits for is shown here. */
  async child<Result>(type: WorkflowType, workflowId: string, input: unknown, summary: string): Promise<Result> {
    // A child that begins later hears of no pause and no abort that came before it was there to be told.
    await this.checkpoint();
    this.untouched = false;
    this.family.add(workflowId);
    try {
      return (await executeChild(type, {
        workflowId,
        args: [input],
        staticSummary: summary,
        parentClosePolicy: 'REQUEST_CANCEL',
        ...memoFor(this.status.deployment),
      })) as Result;
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      throw notEnded(workflowId, error);
    } finally {
      this.family.drop(workflowId);
    }
  }

  /** The report of what was seen; an upgrade that is done is not undone by a full disk. */
  async #report(): Promise<string> {
    if (this.status.artefacts === '') return '';
    const { workflowId, runId } = workflowInfo();
    try {
      return (await act('writeReport', 'write the report', { ...this.order, workflowId, runId })).file;
    } catch (error) {
      this.note('failure', `the report could not be written: ${messageOf(error)}`);
      return '';
    }
  }

  /** Set with the first act that changes anything. */
  untouched = true;

  /** What came of it, of an operation that is not about the nodes' releases. */
  concluded: string | undefined;

  #end(result: NonNullable<OperationStatus['result']>, reason: string, running?: Running): void {
    this.status.result = result;
    this.status.endedAt = this.now();
    this.status.statement = standingOf(this.status, reason, this.untouched, running);
    this.phase(result, reason);
  }
}

const overall = (name: string, { deployment, from, to, fallback }: OperationStatus): string =>
  name === 'start'
    ? `Start the upgrade of ${deployment} from ${from} to ${to}?`
    : name === 'handover'
      ? `Hand the primaries of ${deployment} over to ${to}?`
      : `Finalize the upgrade of ${deployment} to ${to}?${pointOfNoReturn(fallback)}`;

/** Said before anybody answers. */
const pointOfNoReturn = (fallback: OperationStatus['fallback']): string =>
  fallback?.standbys.length
    ? ` The standbys are removed then: from there on it can’t be taken back without loss (now: ${fallback.class}).`
    : '';

/** The id is the lock: an operation under another id would run beside the one that holds it. */
function holdTheLock(type: WorkflowType, deployment: string): void {
  const { workflowId } = workflowInfo();
  const id = type === 'staging' ? stagingWorkflowId(deployment) : operationId(deployment);
  const held = rootOf(deployment).workflowId === id;
  if (!held)
    throw badInput(
      'WrongWorkflowId',
      `workflow id: expected ${id}, found ${workflowId}; the id keeps two operations from running at once`,
    );
}
