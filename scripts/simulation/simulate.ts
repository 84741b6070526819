import type { FaultLevel } from './faults.js';
import type { Fleet, Upgraded } from './fleet.js';
import type { Violation } from './invariants.js';

export interface Size {
  nodes: number;
  runs: number;
  seed: number;
  faults: FaultLevel;
  parallel: number;
}

/** What a simulation came to; of several runs the largest history, and the sums of the others. */
export interface Summary {
  nodes: number;
  shards: number;
  runs: number;
  seed: number;
  faults: FaultLevel;
  /** Whose every node was upgraded in the end. */
  completed: number;
  /** Tries, with those that stopped and were started again. */
  tries: number;
  /** Acts of the model, each followed by a look at every invariant. */
  steps: number;
  durationMs: number;
  upgradesPerMinute: number;
  wallMsPerNode: number;
  maxHistoryEvents: number;
  /** Workflow that has it. */
  longestHistory: string;
  /** Bytes of the largest history, of the largest event and of the largest answer to a query. */
  maxHistoryBytes: number;
  /** Workflow that has it. */
  largestHistory: string;
  maxEventBytes: number;
  maxAnswerBytes: number;
  eventsPerNode: number;
  historyBytesPerNode: number;
  /** From scheduled to started, ms. */
  workflowTaskLatencyMs: { p50: number; p99: number };
  workerPeakRssMb: number;
  invariantViolations: number;
}

/** Many small upgrades run side by side: they share the server's clock, which skips when none of them works. */
const AT_ONCE = 20;

/** Upgrades as many simulated deployments as asked for; every 50th history of many is measured. */
export async function simulate(
  fleet: Fleet,
  { nodes, runs, seed, faults, parallel }: Size,
  tell: (line: string) => void,
): Promise<{ summary: Summary; violations: Violation[]; upgraded: Upgraded[] }> {
  const begun = performance.now();
  const shards = nodes / 2;
  const upgraded: Upgraded[] = [];
  const largest = { events: 0, of: '', historyBytes: 0, bytesOf: '', eventBytes: 0, answerBytes: 0 };
  const sums = { measured: 0, events: 0, bytes: 0 };
  let latency = { p50: 0, p99: 0 };
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let run = next++; run < runs; run = next++) {
      const options = { seed: seed + run, shards, faults, parallelShards: parallel };
      const it = await fleet.upgrade(`simulated-${options.seed}`, options);
      upgraded.push(it);
      if (run % 50 === 0) {
        const measured = await fleet.measure(it);
        if (measured.maxHistoryEvents > largest.events)
          Object.assign(largest, { events: measured.maxHistoryEvents, of: measured.longest });
        if (measured.maxHistoryBytes > largest.historyBytes)
          Object.assign(largest, { historyBytes: measured.maxHistoryBytes, bytesOf: measured.largest });
        largest.eventBytes = Math.max(largest.eventBytes, measured.maxEventBytes);
        largest.answerBytes = Math.max(largest.answerBytes, measured.maxAnswerBytes);
        latency = measured.taskLatencyMs;
        sums.measured++;
        sums.events += measured.events;
        sums.bytes += measured.historyBytes;
      }
      await fleet.forget(it);
      const ends = it.results.join(', ');
      if (runs < 30 || upgraded.length % 25 === 0 || it.violations.length > 0)
        tell(
          `${upgraded.length} of ${runs}: ${it.name} (seed ${it.seed}) ${ends}, ${it.steps} steps, ${seconds(it.durationMs)}`,
        );
      if (!it.whole) tell(`  ${it.statement.replace(/\n/g, '\n  ')}`);
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, runs) }, lane));
  const durationMs = Math.round(performance.now() - begun);
  const { peakRssBytes } = await fleet.memory();
  const violations = upgraded.flatMap((it) => it.violations);
  const summary: Summary = {
    ...{ nodes, shards, runs, seed, faults },
    completed: upgraded.filter(({ whole }) => whole).length,
    tries: upgraded.reduce((sum, { results }) => sum + results.length, 0),
    steps: upgraded.reduce((sum, { steps }) => sum + steps, 0),
    durationMs,
    upgradesPerMinute: Math.round((upgraded.length / durationMs) * 600_000) / 10,
    wallMsPerNode: Math.round(durationMs / (nodes * runs)),
    maxHistoryEvents: largest.events,
    longestHistory: largest.of,
    maxHistoryBytes: largest.historyBytes,
    largestHistory: largest.bytesOf,
    maxEventBytes: largest.eventBytes,
    maxAnswerBytes: largest.answerBytes,
    eventsPerNode: Math.round(sums.events / (nodes * sums.measured)),
    historyBytesPerNode: Math.round(sums.bytes / (nodes * sums.measured)),
    workflowTaskLatencyMs: latency,
    workerPeakRssMb: Math.round(peakRssBytes / 1024 ** 2),
    invariantViolations: violations.length,
  };
  return { summary, violations, upgraded };
}

/** Sizes below the given one, each five times the one before. */
export const growth = (nodes: number): number[] => [12, 60, 300].filter((size) => size < nodes);

/** As a table: how events, bytes, time and memory grow with the nodes. */
export function tellGrowth(rows: readonly Summary[]): string[] {
  const head = [
    'nodes',
    'runs',
    'a minute',
    'longest history',
    'events/node',
    'bytes/node',
    'ms/node',
    'task p99',
    'worker RSS',
    'violations',
  ];
  const body = rows.map((it) => [
    `${it.nodes}`,
    `${it.completed} of ${it.runs} completed`,
    `${it.upgradesPerMinute}`,
    `${it.maxHistoryEvents} events, ${kilobytes(it.maxHistoryBytes)}`,
    `${it.eventsPerNode}`,
    kilobytes(it.historyBytesPerNode),
    `${it.wallMsPerNode}`,
    `${Math.round(it.workflowTaskLatencyMs.p99)} ms`,
    `${it.workerPeakRssMb} MB`,
    `${it.invariantViolations}`,
  ]);
  const widths = head.map((name, at) => Math.max(name.length, ...body.map((row) => row[at]?.length ?? 0)));
  return [head, ...body].map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
const kilobytes = (bytes: number): string => `${(bytes / 1000).toFixed(0)} kB`;
