import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { programOf } from '../../../launch/program.mjs';
import type { Load } from './load.js';
import type { Subject } from './subject.js';

/** How far behind it is: the time from when the primary was at an offset until the other is there. */
export interface UnderLoad {
  /** What the primary took in fact. */
  perSecond: number;
  lagMs: { median: number; p99: number; max: number };
}

/** The load's process, its connection and the code of all three warm up first. */
export const WARM_UP_MS = 2000;
const SAMPLE_EVERY_MS = 20;
const LANDS_WITHIN_MS = 600_000;

/**
 * Samples are taken on a schedule of their own, whatever became of those before: one that waited for the last to land
 * would leave out just the moments at which the lag is longest.
 */
export async function underLoad({
  subject,
  primaryOffset,
  load,
}: {
  subject: Subject;
  primaryOffset: () => Promise<number>;
  load: Load;
}): Promise<UnderLoad> {
  const { file, execArgv } = await programOf(fileURLToPath(new URL('./load-process.ts', import.meta.url)));
  const writer = fork(file, [JSON.stringify(load)], {
    execArgv,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  let begun: number | undefined;
  let took: number | undefined;
  writer.on('message', (said) => {
    if (said === 'begun') begun = performance.now();
    else took = Number(said);
  });
  const ended = once(writer, 'exit');
  const goesOn = (): boolean => took === undefined && writer.exitCode === null;
  const waiting: { offset: number; seen: number }[] = [];
  const lags: number[] = [];
  let sampling = true;
  const sample = async (): Promise<void> => {
    for (let due = performance.now(); goesOn(); due = Math.max(due + SAMPLE_EVERY_MS, performance.now())) {
      await sleep(due - performance.now());
      if (begun === undefined || performance.now() < begun + WARM_UP_MS) continue;
      const offset = await primaryOffset();
      waiting.push({ offset, seen: performance.now() });
    }
    sampling = false;
  };
  const land = async (): Promise<void> => {
    while (sampling || waiting.length > 0) {
      const reached = await subject.offset();
      const now = performance.now();
      for (let first = waiting[0]; first && first.offset <= reached; first = waiting[0]) {
        lags.push(now - first.seen);
        waiting.shift();
      }
      const oldest = waiting[0]?.seen ?? now;
      if (now - oldest > LANDS_WITHIN_MS)
        throw new Error(`the ${subject.name} is ${Math.round((now - oldest) / 1000)} s behind, and is not waited for`);
      await sleep(1);
    }
  };
  try {
    await Promise.all([sample(), land()]);
  } finally {
    writer.kill('SIGKILL');
    await ended;
  }
  if (took === undefined || lags.length === 0) throw new Error('the load ended before anything was measured');
  lags.sort((a, b) => a - b);
  const share = (part: number): number => {
    const ms = lags[Math.min(lags.length - 1, Math.floor(lags.length * part))] ?? 0;
    return Math.round(ms * 10) / 10;
  };
  return {
    perSecond: Math.round((load.commands / took) * 1000),
    lagMs: { median: share(0.5), p99: share(0.99), max: share(1) },
  };
}
