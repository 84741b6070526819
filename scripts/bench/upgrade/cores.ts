import { cpus } from 'node:os';

/** Of all cores together, ms since the machine started. */
function times(): { idle: number; all: number } {
  const each = cpus().map((core) => core.times);
  const sum = (of: (core: (typeof each)[number]) => number): number =>
    each.reduce((total, core) => total + of(core), 0);
  return { idle: sum(({ idle }) => idle), all: sum((core) => Object.values(core).reduce((a, b) => a + b, 0)) };
}

/**
 * Begins to watch the machine's cores. What is returned tells how much of them was in use since, in percent: at 100 nothing
 * waits for anything but the processor, and only more cores or less work would be quicker.
 */
export function watchCores(): () => number {
  const begun = times();
  return () => {
    const now = times();
    return Math.round(100 * (1 - (now.idle - begun.idle) / (now.all - begun.all)));
  };
}
