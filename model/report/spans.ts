import type { TimelineEntry } from '../operation.js';

/** A timeline entry with its extent, Unix ms. */
export interface Span {
  entry: TimelineEntry;
  from: number;
  to: number;
  /** It goes on, or its end was never recorded: `to` is where the next thing begins, or the report's end. */
  open: boolean;
}

type Kind = TimelineEntry['kind'];

const acts: readonly Kind[] = ['phase', 'step', 'swap', 'handover'];
const ends: Partial<Record<Kind, readonly Kind[]>> = {
  phase: ['phase'],
  step: acts,
  swap: acts,
  handover: acts,
  gate: [...acts, 'gate', 'approval'],
};

/** `soaking` of the phase `soaking: every node runs 8.0.6`; of anything else its whole text. */
export function nameOf({ kind, text }: TimelineEntry): string {
  return kind === 'phase' ? (text.split(': ')[0] ?? text) : text;
}

/**
 * Every entry with its extent. A phase lasts until the next of its shard (or, without a shard, of the operation); a step
 * without `until` as well, since a worker that died in between never wrote the end; a gate that did not pass until
 * something else is done there. Approvals, notes, controls and failures are moments. Ordered by begin, outer before inner.
 */
export function spansOf(timeline: readonly TimelineEntry[], end: number): Span[] {
  const sorted = withoutChildren(
    timeline
      .map((entry) => ({ entry, from: Date.parse(entry.at) }))
      .filter(({ from }) => !Number.isNaN(from))
      .sort((a, b) => a.from - b.from),
  );
  const scopes = new Map<string | undefined, { entry: TimelineEntry; from: number; at: number }[]>();
  for (const { entry, from } of sorted) {
    const scope = scopes.get(entry.shard) ?? [];
    scopes.set(entry.shard, scope);
    scope.push({ entry, from, at: scope.length });
  }
  const spans = [...scopes.values()].flatMap((scope) =>
    scope.map(({ entry, from, at }): Span => {
      if (entry.until !== undefined) return { entry, from, to: Math.max(from, Date.parse(entry.until)), open: false };
      const ending = ends[entry.kind];
      if (!ending || isTerminal(entry) || isClearing(entry)) return { entry, from, to: from, open: false };
      const later = scope.slice(at + 1);
      const next = later.find((other) => ending.includes(other.entry.kind));
      if (next) return { entry, from, to: next.from, open: entry.kind !== 'phase' && entry.kind !== 'gate' };
      // Nobody says that a shard is done: its last phase ends with the last thing that was done in it.
      const last = entry.kind === 'phase' && entry.shard !== undefined ? later.filter(({ entry: e }) => e.until) : [];
      if (last.length > 0 && !later.some(({ entry: e }) => acts.includes(e.kind) && e.until === undefined))
        return { entry, from, to: Math.max(...last.map((o) => Date.parse(o.entry.until ?? ''))), open: false };
      return { entry, from, to: Math.max(from, end), open: true };
    }),
  );
  return spans.sort((a, b) => a.from - b.from || b.to - a.to);
}

const isTerminal = (entry: TimelineEntry): boolean =>
  entry.kind === 'phase' && ['completed', 'stopped', 'aborted'].includes(nameOf(entry));

// What a gate said at last, or who overrode it: nothing is waited for any more.
const isClearing = ({ kind, text }: TimelineEntry): boolean => kind === 'gate' && /passes now|overridden by/.test(text);

/**
 * A child of the operation tells of its own assessment and end, and names no shard: taken for the operation's, they would
 * cut its phases short. The first assessment is the root's, and so is the last end, once there are as many of both.
 */
function withoutChildren<T extends { entry: TimelineEntry }>(sorted: readonly T[]): T[] {
  const whole = sorted.filter(({ entry }) => entry.kind === 'phase' && entry.shard === undefined);
  const [first, ...assessed] = whole.filter(({ entry }) => nameOf(entry) === 'assessing');
  const terminal = whole.filter(({ entry }) => isTerminal(entry));
  const children = new Set([...assessed, ...terminal]);
  const rootEnd = terminal.at(-1);
  if (rootEnd && terminal.length >= assessed.length + (first ? 1 : 0)) children.delete(rootEnd);
  return sorted.filter((one) => !children.has(one));
}

/** Time in which nothing is done to a node: a gate, an approval, a soak, a pause. */
export function isWait({ entry }: Span): boolean {
  if (entry.kind === 'gate' || entry.kind === 'approval') return true;
  return entry.kind === 'phase' && ['canary', 'soaking', 'paused', 'awaiting approval'].includes(nameOf(entry));
}

/** Time in which something is done to a node. */
export function isWork(span: Span): boolean {
  return ['step', 'swap', 'handover'].includes(span.entry.kind);
}
