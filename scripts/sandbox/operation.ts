import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { WorkflowFailedError, WorkflowUpdateFailedError, type WorkflowClient } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { temporal } from '@temporalio/proto';
import type { OperationStatus, TimelineEntry } from '../../model/operation.js';
import type { ReportData } from '../../model/report.js';
import { findChildren, OperationReader, type OperationView } from '../../workers/read-operation.js';
import type { UpgradeOutcome } from './stage.js';

/** An upgrade that runs, as a test watches and steers it. */
export class Operation {
  readonly #reader: OperationReader;

  constructor(
    readonly client: WorkflowClient,
    readonly workflowId: string,
    readonly runId: string,
    /** How long `until` waits where nothing is said, ms: less than its test has, so that it says what it saw. */
    readonly patienceMs = 240_000,
  ) {
    this.#reader = new OperationReader(client, { workflowId, runId });
  }

  /** Its outcome: completed or aborted. Rejects when it failed. */
  result(): Promise<UpgradeOutcome> {
    return this.client.getHandle(this.workflowId, this.runId).result() as Promise<UpgradeOutcome>;
  }

  /** The failure that it ended with; rejects when it ended otherwise. */
  async failure(): Promise<{ type: string; message: string; next: string }> {
    try {
      const outcome = await this.result();
      throw new Error(`expected the upgrade to fail, found ${outcome.result}: ${outcome.statement}`);
    } catch (error) {
      if (!(error instanceof WorkflowFailedError) || !(error.cause instanceof ApplicationFailure)) throw error;
      const { type, message, details } = error.cause;
      return { type: type ?? '', message, next: (details?.[0] as { next?: string } | undefined)?.next ?? '' };
    }
  }

  /** The status of the whole family. Queries fail while no worker or no Temporal answers: that passes. */
  read(): Promise<OperationView> {
    return this.#read(Date.now() + 60_000);
  }

  /** Waits until the status of the whole family satisfies; says what it last was otherwise. */
  async until(
    what: string,
    condition: (status: OperationStatus, timeline: TimelineEntry[]) => boolean,
    timeoutMs = this.patienceMs,
  ): Promise<OperationView> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const view = await this.#read(deadline);
      const { status, timeline } = view;
      if (condition(status, timeline)) return view;
      const ended = status.result !== undefined;
      if (ended || Date.now() > deadline)
        throw new Error(
          `${ended ? `the upgrade has ended (${status.statement ?? ''})` : `not within ${timeoutMs} ms`}: ${what}; last: ` +
            JSON.stringify([status.phase, status.reason, status.waiting, timeline.slice(-6).map(({ text }) => text)]),
        );
      await sleep(100);
    }
  }

  async #read(deadline: number): Promise<OperationView> {
    for (;;)
      try {
        return await this.#reader.read();
      } catch (error) {
        if (Date.now() > deadline) throw error;
        await sleep(100);
      }
  }

  /** Ends it here and now, where it still runs: nothing of it is tidied up. */
  async terminate(): Promise<void> {
    const handle = this.client.getHandle(this.workflowId, this.runId);
    if ((await handle.describe()).status.name === 'RUNNING') await handle.terminate();
  }

  /** Waits until something waits for a person, of this kind and name. */
  waits(kind: OperationStatus['waiting'][number]['kind'], name: string, timeoutMs?: number) {
    return this.until(
      `${kind} ${name} is waited for`,
      (status) => status.waiting.some((it) => it.kind === kind && it.name === name),
      timeoutMs,
    );
  }

  /** Steers it by an update; the answer, or what the validator refused it with. */
  async tell(name: string, input: object): Promise<{ done: string } | { refused: string }> {
    try {
      const done = await this.client
        .getHandle(this.workflowId, this.runId)
        .executeUpdate<string, [object]>(name, { args: [input] });
      return { done };
    } catch (error) {
      if (error instanceof WorkflowUpdateFailedError && error.cause instanceof ApplicationFailure)
        return { refused: error.cause.message };
      throw error;
    }
  }

  /** report.json as the operation left it. */
  async report(folder: string): Promise<ReportData> {
    return JSON.parse(await readFile(join(folder, 'report.json'), 'utf8')) as ReportData;
  }

  /** Every history of the family as text, payloads decoded. */
  async histories(): Promise<string> {
    return (await this.#family()).map(historyText).join('\n');
  }

  /** Every activity of the family that has come to its end, from when it was scheduled to its last word. */
  async activities(): Promise<Span[]> {
    const spans: Span[] = [];
    for (const { events } of await this.#family()) {
      const begun = new Map<number, { what: string; from: number }>();
      for (const event of events ?? []) {
        const scheduled = event.activityTaskScheduledEventAttributes?.activityType?.name;
        if (typeof scheduled === 'string') begun.set(Number(event.eventId), { what: scheduled, from: timeOf(event) });
        const ended =
          event.activityTaskCompletedEventAttributes ??
          event.activityTaskFailedEventAttributes ??
          event.activityTaskCanceledEventAttributes;
        const span = ended && begun.get(Number(ended.scheduledEventId));
        if (span) spans.push({ ...span, to: timeOf(event) });
      }
    }
    return spans;
  }

  async #family() {
    const { client } = this;
    const root = { workflowId: this.workflowId, runId: this.runId };
    const family = [root, ...(await findChildren(client, root))];
    return Promise.all(family.map(({ workflowId, runId }) => client.getHandle(workflowId, runId).fetchHistory()));
  }
}

/** What took how long, Unix ms. */
export interface Span {
  what: string;
  from: number;
  to: number;
}

/** When a history's event was written, Unix ms. */
export const timeOf = ({ eventTime }: temporal.api.history.v1.IHistoryEvent): number =>
  Number(eventTime?.seconds ?? 0) * 1000 + (eventTime?.nanos ?? 0) / 1e6;

/** All that a history says, what was handed over in it included: as JSON that is base64. */
export const historyText = (history: temporal.api.history.v1.IHistory): string =>
  JSON.stringify(history).replaceAll(/"data":"([^"]*)"/g, (_, data: string) =>
    Buffer.from(data, 'base64').toString('latin1'),
  );
