import type { TimelineEntry } from '../../../model/operation.js';
import type { OperationView } from '../../../workers/read-operation.js';
import type { Retry } from '../../../workers/read-retries.js';
import { note, print, printJsonLine } from '../terminal.js';
import { retryText } from '../views/retry-text.js';
import { timelineLine } from '../views/timeline-line.js';
import type { Seen, Watcher } from './follow.js';

/** Plain lines for pipes and logs: one for each new entry of the timeline, thing waited for, and attempt that failed. */
export class Lines implements Watcher {
  readonly #entries = new News<TimelineEntry>(entryKey);
  readonly #waiting = new News<OperationView['status']['waiting'][number]>(
    ({ kind, name, shard, since }) => `${kind} ${name} ${shard ?? ''} ${since}`,
  );
  readonly #retries = new News<Retry>(retryKey);
  #trouble = '';

  seen({ status, timeline, retries }: Seen): void {
    this.#trouble = '';
    for (const entry of this.#entries.of(timeline)) print(timelineLine(entry));
    for (const retry of this.#retries.of(retries))
      print(
        `${(retry.failure.at ?? retry.since).slice(11, 19)} retries  ${retryText(retry, `since ${retry.since.slice(11, 19)} UTC`)}`,
      );
    for (const { since, kind, name, shard, reason, command } of this.#waiting.of(status.waiting))
      print(
        `${since.slice(11, 19)} waits    ${kind} ${name}${shard === undefined ? '' : ` (${shard})`}: ${reason}${command === '' ? '' : `  →  ${command}`}`,
      );
  }

  blind(why: string): void {
    if (why !== this.#trouble) note(`rollout: ${why}`);
    this.#trouble = why;
  }

  close(): void {
    // Nothing is held.
  }
}

/** One JSON document a line: `{"type":"entry",…}`, `{"type":"retry",…}`, `{"type":"status",…}` when it changed, `{"type":"blind",…}`. */
export class JsonLines implements Watcher {
  readonly #entries = new News<TimelineEntry>(entryKey);
  readonly #retries = new News<Retry>(retryKey);
  #status = '';
  #trouble = '';

  seen({ status, timeline, retries }: Seen): void {
    this.#trouble = '';
    for (const entry of this.#entries.of(timeline)) printJsonLine({ type: 'entry', entry });
    for (const retry of this.#retries.of(retries)) printJsonLine({ type: 'retry', retry });
    const text = JSON.stringify(status, (name, value: unknown) => (moving.has(name) ? undefined : value));
    if (text !== this.#status) printJsonLine({ type: 'status', status });
    this.#status = text;
  }

  blind(why: string): void {
    if (why !== this.#trouble) printJsonLine({ type: 'blind', why });
    this.#trouble = why;
  }

  close(): void {
    // Nothing is held.
  }
}

/** Of a standby: other at each look, and no news by themselves. */
const moving: ReadonlySet<string> = new Set(['lagBytes', 'lagMs', 'live', 'keys', 'lastPass', 'passes', 'waitsFor']);

/** An entry that gets its end later is told again, with the time it took. */
const entryKey = ({ at, until, kind, shard, node, text }: TimelineEntry): string =>
  [at, until, kind, shard, node, text].join(' ');

/** Each attempt is told once, whether its turn has come or not. */
const retryKey = ({ workflowId, what, since, attempt }: Retry): string => [workflowId, what, since, attempt].join(' ');

class News<T> {
  readonly #known = new Set<string>();
  constructor(private readonly key: (item: T) => string) {}
  of(items: readonly T[]): T[] {
    const fresh = items.filter((item) => !this.#known.has(this.key(item)));
    for (const item of fresh) this.#known.add(this.key(item));
    return fresh;
  }
}
