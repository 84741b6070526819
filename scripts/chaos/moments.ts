import type { TimelineEntry } from '../../model/operation.js';
import type { Moment, StepName } from './scenario.js';

const isStep: Readonly<Record<StepName, (entry: TimelineEntry) => boolean>> = (() => {
  const named =
    (name: string) =>
    ({ kind, text }: TimelineEntry): boolean =>
      kind === 'step' && text === name;
  const phase =
    (name: string) =>
    ({ kind, text }: TimelineEntry): boolean =>
      kind === 'phase' && text.startsWith(`${name}:`);
  return {
    prepare: named('prepare'),
    'back up': named('back up'),
    isolate: named('isolate'),
    save: named('save'),
    start: ({ kind }) => kind === 'swap',
    rejoin: named('rejoin'),
    verify: named('verify'),
    release: named('release'),
    'hand over': ({ kind }) => kind === 'handover',
    canary: phase('canary'),
    soaking: phase('soaking'),
  };
})();

/**
 * The entry that the moment is about, once it has come. A phase has no end of its own: it ends with the next phase.
 *
 * @param timelines of all starts of the run, in their order
 */
export function momentIn(
  { step, nth, edge }: Moment,
  timelines: readonly TimelineEntry[][],
): TimelineEntry | undefined {
  const all = timelines.flat();
  const entry = all.filter(isStep[step])[nth - 1];
  if (!entry || edge === 'begins') return entry;
  const over =
    entry.kind === 'phase'
      ? all.some((it) => it.kind === 'phase' && it !== entry && it.at > entry.at)
      : entry.until !== undefined;
  return over ? entry : undefined;
}
