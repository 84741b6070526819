import { ConnectionLost } from './raw-connection.js';
import { DeadlinePassed, type ProbeClient } from './raw-client.js';
import type { Reply } from './resp.js';
import type { Series } from './series.js';

export interface Limits {
  /** From the scheduled time, ms: an operation that has no acknowledgement by then has failed. */
  deadlineMs: number;
  /** Operations of one stream that may be under way; at the bound the next ones fail with `overload`. */
  inFlight: number;
}

export interface Operation {
  words: readonly string[];
  slot: number;
  /** Called with each answer, even one that came too late; tells what is wrong with it, if anything is. */
  answered: (reply: Reply) => string | undefined;
}

interface Flight {
  scheduledAt: number;
  settled: boolean;
}

/**
 * One client at one shard on a fixed schedule. The schedule never waits for an answer: an operation is due when it is
 * due, and its latency counts from then. (A client that waits before it sends the next one measures a stall of a second
 * as one slow operation: coordinated omission.)
 */
export class OpenLoop {
  #flights: Flight[] = [];
  #underWay = 0;
  #nextAt: number;

  constructor(
    readonly series: Series,
    private readonly client: ProbeClient,
    private readonly next: () => Operation,
    private readonly options: Limits & { periodMs: number; firstAt: number; now: () => number },
  ) {
    this.#nextAt = options.firstAt;
  }

  get nextAt(): number {
    return this.#nextAt;
  }

  /** Operations that are neither acknowledged nor failed. */
  get open(): number {
    return this.#flights.reduce((sum, { settled }) => sum + (settled ? 0 : 1), 0);
  }

  /** Ages of the operations under way that were scheduled since `since`, ms. */
  ages(since: number, now: number): number[] {
    return this.#flights.flatMap(({ settled, scheduledAt }) =>
      settled || scheduledAt < since ? [] : [now - scheduledAt],
    );
  }

  /** Sends everything that was due by `now`, each with its own scheduled time. */
  sendDue(now: number): void {
    for (; this.#nextAt <= now; this.#nextAt += this.options.periodMs) this.#send(this.#nextAt);
  }

  /** Leaves out what was due before `now`: only for a time in which the probe itself did not run. */
  skipTo(now: number): void {
    while (this.#nextAt < now) this.#nextAt += this.options.periodMs;
    this.series.interrupted(now);
  }

  /** Fails what has passed its deadline. */
  expire(now: number): void {
    const { deadlineMs } = this.options;
    let head = 0;
    for (const flight of this.#flights) {
      if (!flight.settled && now - flight.scheduledAt < deadlineMs) break;
      if (!flight.settled) this.#settle(flight, flight.scheduledAt + deadlineMs, 'timeout');
      head++;
    }
    this.#flights.splice(0, head);
  }

  #send(scheduledAt: number): void {
    if (this.#underWay >= this.options.inFlight) {
      this.series.settle(scheduledAt, this.options.now(), 'overload');
      return;
    }
    const operation = this.next();
    const flight: Flight = { scheduledAt, settled: false };
    this.#flights.push(flight);
    this.#underWay++;
    this.client.send(operation.words, operation.slot, scheduledAt + this.options.deadlineMs).then(
      (reply) => {
        this.#underWay--;
        const wrong = operation.answered(reply);
        this.#settle(flight, this.options.now(), wrong);
      },
      (error: unknown) => {
        this.#underWay--;
        this.#settle(flight, this.options.now(), failureKind(error));
      },
    );
  }

  #settle(flight: Flight, at: number, failure?: string): void {
    if (flight.settled) return;
    flight.settled = true;
    // The event loop may have been late with the deadline itself.
    const late = at - flight.scheduledAt > this.options.deadlineMs;
    this.series.settle(flight.scheduledAt, at, late ? 'timeout' : failure);
  }
}

/** The kind under which the report counts a failure: the server's error code, or what happened to the connection. */
export function failureKind(error: unknown): string {
  if (error instanceof DeadlinePassed) return 'timeout';
  if (error instanceof ConnectionLost) return 'connection';
  const message = error instanceof Error ? error.message : String(error);
  if (message.startsWith('Too many Cluster redirections')) return 'redirections';
  const code = /^[A-Z]{3,}(?= )/.exec(message);
  return code ? code[0] : 'connection';
}
