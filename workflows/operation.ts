import {
  CancellationScope,
  condition,
  isCancellation,
  setCurrentDetails,
  setHandler,
  sleep,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { describeStatus } from '../model/describe-status.js';
import { addressOfOperation, searchAttributes, type WorkflowType } from '../model/names.js';
import type { GateRecord, OperationPhase, OperationStatus, TimelineEntry, Waiting } from '../model/operation.js';
import type { Plan } from '../model/plan.js';
import type { OperationRecord } from '../model/report.js';
import type { Order } from '../model/work.js';
import { Aborted, failureTypeOf, messageOf } from './failure.js';
import { rootOf } from './root.js';
import { findingsQuery, planQuery, recordQuery, statusQuery, timelineQuery, type NodesCame } from './definitions.js';

/** Between two series of attempts, ms. */
const READABLE_PAUSE_MS = 30_000;

type SearchName = keyof typeof searchAttributes;
const searchKeys = Object.keys(searchAttributes) as SearchName[];
export const keyword = Object.fromEntries(
  searchKeys.map((name) => [name, defineSearchAttributeKey(searchAttributes[name], SearchAttributeType.KEYWORD)]),
) as Record<SearchName, ReturnType<typeof defineSearchAttributeKey<'KEYWORD'>>>;

export interface PhaseInput {
  shard?: string;
  node?: string;
}

export interface FallbackAsked {
  /** A person, or `policy`. */
  by: string;
  reason: string;
  /** This one only. */
  shard?: string;
  /** That asked for it by policy.fallbackWhen. */
  gate?: string;
  /** May people be asked whether shards without a standby are restored from their backups? */
  restore?: boolean;
}

/**
 * What one workflow knows of itself: phase and reason, set before each act; what it waits for; what happened. Query,
 * current details and search attributes all show the same state, published by one function.
 */
export class Operation {
  readonly status: OperationStatus;
  readonly timeline: TimelineEntry[] = [];
  readonly record: OperationRecord = {
    verify: [],
    configuration: [],
    releases: [],
    resyncs: [],
    handovers: [],
    backups: [],
  };
  plan: Plan | undefined;
  /** What people overrode so far, here or in a child. */
  readonly overrides: { gate: string; by: string }[] = [];
  /** Set once assessment has found the search attributes registered. */
  searchable = false;
  aborted: { by: string; reason: string } | undefined;
  /** Somebody, or the policy, wants it taken back; once what is under way has ended, that is begun. */
  fallbackAsked: FallbackAsked | undefined;
  /** Set once it is too late for a fallback within this operation: why, and what to do instead. */
  pointOfNoReturn: string | undefined;
  paused: { by: string; reason: string; since: string } | undefined;
  #searched: Record<SearchName, string | null> | undefined;
  #told = '[]';
  /** Of a shard's workflow, its shard: whatever it does happens there. */
  home: PhaseInput = {};
  /** Called with every change of what is waited for: a child tells its root. */
  onWaiting: (() => void) | undefined;
  /** Called with everything that is written down. */
  onNote: ((entry: TimelineEntry) => void) | undefined;

  constructor(type: WorkflowType, input: { deployment: string; to?: string; via?: string[]; startedBy: string }) {
    const info = workflowInfo();
    this.status = {
      deployment: input.deployment,
      operation: type,
      workflowId: info.workflowId,
      run: info.firstExecutionRunId,
      from: '',
      to: input.to ?? '',
      ...(input.via === undefined || input.via.length === 0 ? {} : { via: input.via }),
      phase: 'assessing',
      reason: 'reading the deployment',
      startedAt: info.startTime.toISOString(),
      startedBy: input.startedBy,
      progress: { upgraded: 0, nodes: 0 },
      waiting: [],
      shards: [],
      children: [],
      approvals: [],
      gates: [],
      artefacts: '',
    };
    setHandler(statusQuery, () => this.status);
    setHandler(timelineQuery, () => this.timeline);
    setHandler(planQuery, () => this.plan);
    setHandler(recordQuery, () => this.record);
    setHandler(findingsQuery, () => ({ status: this.status, timeline: this.timeline, record: this.record }));
  }

  /** Which deployment and which operation, for every activity: children share the folder of their root. */
  get order(): Order {
    const { deployment } = this.status;
    return { deployment, operation: `${deployment}/${rootOf(deployment).runId}` };
  }

  now(): string {
    return new Date().toISOString();
  }

  /** @param by who did it, of what a person did */
  note(kind: TimelineEntry['kind'], text: string, where: PhaseInput & { by?: string } = {}): TimelineEntry {
    const entry: TimelineEntry = { at: this.now(), kind, text, ...this.home, ...where };
    this.timeline.push(entry);
    this.onNote?.(entry);
    return entry;
  }

  /** Says what comes next and why, before it is done. */
  phase(phase: OperationPhase, reason: string, where: PhaseInput = {}): void {
    this.status.phase = phase;
    this.status.reason = reason;
    this.note('phase', `${phase}: ${reason}`, where);
    this.publish();
  }

  /**
   * One durable step; the timeline shows how long it took. Pause and abort are heeded between nodes (`checkpoint`), never
   * in the middle of one: a node that is out must come back first.
   */
  async step<T>(text: string, where: PhaseInput & { kind?: TimelineEntry['kind'] }, act: () => Promise<T>): Promise<T> {
    const { kind = 'step', ...place } = where;
    const entry = this.note(kind, text, place);
    const node = this.node(place.node);
    if (node) {
      node.state = 'in progress';
      node.step = text;
    }
    try {
      return await this.#onceReadable(text, act);
    } catch (error) {
      if (!isCancellation(error)) this.note('failure', `${text}: ${messageOf(error)}`, place);
      throw error;
    } finally {
      entry.until = this.now();
      if (node) delete node.step;
    }
  }

  /**
   * Acts, and again for as long as the worker can't read the deployment file or its secrets: a node may be out, and a slip
   * in a file is no reason to leave it there. It ends with an abort, since nothing could be taken back then either.
   */
  async #onceReadable<T>(text: string, act: () => Promise<T>): Promise<T> {
    let waiting: Waiting | undefined;
    try {
      for (;;)
        try {
          return await act();
        } catch (error) {
          if (failureTypeOf(error) !== 'Unreadable' || this.aborted) throw error;
          if (waiting === undefined) {
            const { deployment } = this.status;
            const reason = `${text}: ${messageOf(error)}`;
            const clears = 'the worker can read the deployment file and its secrets, and the nodes accept them';
            const command = `rollout watch ${deployment}`;
            waiting = { kind: 'worker', name: 'deployment', reason, since: this.now(), clears, command, ...this.home };
            this.note('failure', reason, this.home);
            this.show([waiting]);
          }
          await sleep(READABLE_PAUSE_MS, { summary: 'tries again: the deployment file or a secret is broken' });
        }
    } finally {
      if (waiting) this.show([], [waiting]);
    }
  }

  /** Holds while paused; throws Aborted once an abort was asked for. */
  async checkpoint(): Promise<void> {
    this.heedAbort();
    const { paused } = this;
    if (!paused) return;
    const { phase, reason } = this.status;
    // Somebody holds already, and puts the phase back.
    if (phase === 'paused') {
      await this.until(() => this.paused === undefined, undefined, 'waiting: pause');
      return;
    }
    this.status.phase = 'paused';
    this.status.reason = whyPaused(paused);
    const { name } = addressOfOperation(this.status);
    await this.waitFor(
      {
        kind: 'pause',
        name: 'pause',
        reason: this.status.reason,
        since: paused.since,
        clears: 'somebody resumes it',
        command: `rollout resume ${name}`,
      },
      () => this.paused === undefined,
    );
    this.status.phase = phase;
    this.status.reason = reason;
    this.publish();
  }

  heedAbort(): void {
    if (this.aborted) throw new Aborted(`aborted by ${this.aborted.by}: ${this.aborted.reason}`);
  }

  /** Shows what is waited for, and waits until it is so; an abort ends the wait. */
  async waitFor(waiting: Waiting, cleared: () => boolean, withinMs?: number): Promise<boolean> {
    this.show([waiting]);
    try {
      return await this.until(cleared, withinMs, `waiting: ${waiting.name}`);
    } finally {
      this.show([], [waiting]);
    }
  }

  /** Shows what is waited for from now on, in the place of what was. */
  show(waiting: readonly Waiting[], before: readonly Waiting[] = []): void {
    this.status.waiting = [...this.status.waiting.filter((it) => !before.includes(it)), ...waiting];
    this.publish();
  }

  /** Waits until it is so, or for the given time, ms: then its timer says in the UI what it is for. */
  async until(cleared: () => boolean, withinMs: number | undefined, summary: string): Promise<boolean> {
    const done = (): boolean => cleared() || this.aborted !== undefined;
    if (withinMs === undefined) await condition(done);
    else
      await CancellationScope.cancellable(async () => {
        const timer = sleep(withinMs, { summary });
        timer.catch(() => undefined);
        await Promise.race([timer, condition(done)]);
        CancellationScope.current().cancel();
      }).catch((error: unknown) => {
        if (!isCancellation(error) || CancellationScope.current().consideredCancelled) throw error;
      });
    this.heedAbort();
    return cleared();
  }

  node(address: string | undefined) {
    if (address === undefined) return undefined;
    return this.status.shards.flatMap((shard) => shard.nodes).find((node) => node.address === address);
  }

  /** How nodes came out of what was done to them. */
  came({ addresses, release, state }: NodesCame): void {
    for (const address of addresses) Object.assign(this.node(address) ?? {}, { release, state });
    this.count();
  }

  count(): void {
    const nodes = this.status.shards.flatMap((shard) => shard.nodes);
    const done = this.status.operation === 'fallback' ? 'reverted' : 'upgraded';
    this.status.progress = { upgraded: nodes.filter((node) => node.state === done).length, nodes: nodes.length };
    for (const shard of this.status.shards)
      if (shard.nodes.every((node) => node.state === done)) shard.state = 'upgraded';
      else if (shard.state === 'waiting' && shard.nodes.some((node) => node.state !== 'waiting'))
        shard.state = 'in progress';
    this.publish();
  }

  /** Keeps one record a gate and place: its verdict, and since when it has been so. */
  recordGate(record: Omit<GateRecord, 'since'>): GateRecord {
    const same = this.status.gates.find((it) => it.gate === record.gate && it.before === record.before);
    if (!same) {
      const kept: GateRecord = { ...record, since: this.now() };
      this.status.gates.push(kept);
      return kept;
    }
    if (same.verdict.state !== record.verdict.state) same.since = this.now();
    same.verdict = record.verdict;
    return same;
  }

  /** Query, details and search attributes show the same; a change of what is waited for goes to the root. */
  publish(): void {
    setCurrentDetails(describeStatus(this.status));
    const { deployment, operation, phase, from, to, waiting } = this.status;
    const [blocked] = waiting;
    const found = {
      deployment,
      operation,
      phase,
      from,
      to,
      blockedOn: blocked ? `${blocked.kind}:${blocked.name}` : null,
    };
    // Each upsert is an event of the history: only what changed is one.
    if (this.searchable && JSON.stringify(found) !== JSON.stringify(this.#searched)) {
      this.#searched = found;
      upsertSearchAttributes(searchKeys.map((name) => ({ key: keyword[name], value: found[name] })));
    }
    const told = JSON.stringify(waiting);
    if (told === this.#told) return;
    this.#told = told;
    this.onWaiting?.();
  }
}

/** `paused by ana: lunch` */
export const whyPaused = ({ by, reason }: { by: string; reason: string }): string =>
  `paused by ${by}${reason === '' ? '' : `: ${reason}`}`;
