import { CancellationScope, workflowInfo } from '@temporalio/workflow';
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
import type { ApprovalPolicy, Policy } from '../model/policy.js';
import type { controlSchemas } from '../model/inputs.js';
import { addressOfOperation, familySignals } from '../model/names.js';
import { signingOf } from '../model/signed-answer.js';
import type { Answered, Asked } from './definitions.js';
import { Aborted } from './failure.js';
import type { Family } from './family.js';
import type { Operation } from './operation.js';

/** What became of somebody's act: refused and why, or what to say and do. */
export type Outcome = { refused: string } | { done: string; act: () => void };

/** What people are asked. Whatever workflow asks, the root puts the question and takes the answers. */
export class Questions {
  #desk: ApprovalDesk;
  readonly #answers = new Map<string, Answered>();
  /** Who waits for which answer: several shards may ask the same question. */
  readonly #askers = new Map<string, Set<string>>();

  /** @param stop ends the operation: somebody has rejected */
  constructor(
    readonly operation: Operation,
    readonly family: Family,
    readonly stop: (by: string, reason: string) => void,
  ) {
    this.#desk = openDesk(operation.status.startedBy, {});
  }

  set policy(policy: Pick<Policy, 'roles' | 'approvals' | 'people'>) {
    const { deployment, workflowId } = this.operation.status;
    const signing = signingOf(policy, { deployment, workflowId, run: workflowInfo().firstExecutionRunId });
    this.#desk = { ...this.#desk, roles: policy.roles, signing };
  }

  get roles(): ApprovalDesk['roles'] {
    return this.#desk.roles;
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
    if (family.isRoot) this.ask(asked);
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
        command: `rollout approve ${addressOfOperation(operation.status).name} --approval ${name}${this.#desk.signing?.required ? ' --key file:PATH' : ''}`,
        ...(shard === undefined ? {} : { shard }),
      },
      () => this.#answers.has(name),
    );
    const result = this.#answers.get(name);
    if (result?.decision === 'rejected') throw new Aborted(`${name} was rejected by ${result.by}`);
  }

  /** The root's word to whoever asked. */
  hear(answered: Answered): void {
    this.#answers.set(answered.approval, answered);
  }

  /** What becomes of somebody's answer. */
  answer(given: z.output<typeof controlSchemas.approve>, decision: 'approve' | 'reject'): Outcome {
    if (!this.family.isRoot) return { refused: `questions are answered at ${this.family.rootId}` };
    const { operation } = this;
    const { by, approval, comment } = given;
    const name = approval ?? (openRecords(this.#desk)[0] ?? this.#desk.records.at(-1))?.approval ?? '';
    const desk = answer(this.#desk, { ...given, decision, now: operation.now() });
    if (isRefused(desk)) return desk;
    const { aborted } = operation;
    // Whoever repeats an answer for want of a reply gets it all the same.
    if (aborted && desk !== this.#desk)
      return { refused: `${endingOf(operation, aborted.by)}: no answer counts any more` };
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
        operation.note('approval', said, { by });
        if (record.state !== 'approved' && record.state !== 'rejected') return;
        const answered: Answered = { approval: name, decision: record.state, by };
        this.#answers.set(name, answered);
        if (record.state === 'rejected') this.stop(by, said);
        for (const asker of this.#askers.get(name) ?? []) void this.family.tell(familySignals.answer, answered, asker);
      },
    };
  }

  /** A question of this workflow, or of one below it; asked once, however many ask it. */
  ask({ from, approval, question, policy, shard, askedBy }: Asked): void {
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
}

/** Why nothing counts any more. */
export const endingOf = ({ fallbackAsked }: Operation, by: string): string =>
  fallbackAsked ? `it is about to fall back, asked for by ${by}` : `it is being aborted, by ${by}`;
