import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { checksOf } from '../model/checks.js';
import type { ProbeReport, ProbeSecond } from '../model/evidence.js';
import { allNodes } from '../model/topology.js';
import { measured, type ClientLatency, type Measurement } from '../model/validation/measurement.js';
import type { ValidationActivities } from '../model/work.js';
import { readCounters } from '../redis/counters.js';
import { poll } from '../redis/roles.js';
import { contextFor, heartbeating, type Context } from './context.js';
import type { Dependencies } from './dependencies.js';
import { RECENT } from './observe.js';
import { PROBE_REPORT, wholeCluster } from './probe.js';
import { runCheck } from './run-check.js';

/** Seconds that the probe has to have measured for it to say anything. */
const LEAST_SECONDS = 3;
/** How long the probe may take to be started, or to write down what it saw, ms. */
const PROBE_PATIENCE_MS = 20_000;

export function validationActivities(dependencies: Dependencies): ValidationActivities {
  return {
    // Begun anew by an attempt that follows another: a measure has two ends.
    measure: (input) =>
      heartbeating(async () => {
        const context = await contextFor(dependencies, input);
        const primaries = (await wholeCluster(context)).map(({ primary }) => primary.address);
        await probeRuns(context);
        const before = await readCounters(context.endpoint, primaries);
        const from = Date.now();
        await sleep(input.ms, undefined, { signal: context.signal });
        const after = await readCounters(context.endpoint, primaries);
        const until = Date.now();
        return measured(before, after, { from, until }, clientsBetween(await probeUntil(context, until), from, until));
      }),

    checkApplication: (input) =>
      heartbeating(async () => {
        const context = await contextFor(dependencies, input);
        const { deployment, endpoint, signal } = context;
        const check = checksOf(deployment.checks, 'validation').find(({ name }) => name === input.check);
        if (!check)
          return { check: input.check, result: 'passed', tookMs: 0, found: 'it is in the deployment file no more' };
        const nodes = allNodes({ shards: await wholeCluster(context) }).map(({ address }) => address);
        const tls = deployment.tls;
        return runCheck(check, { endpoint, nodes, signal, ...(tls ? { tls } : {}) });
      }),
  };
}

/** Waits until the probe runs, which is started at the same time, or again where its worker has died. */
async function probeRuns({ deployment, folder, signal }: Context): Promise<void> {
  if (!deployment.policy.probe.enabled) return;
  const begun = Date.now();
  const lastSign = async (): Promise<number> => {
    const text = await readFile(join(folder, RECENT), 'utf8').catch(() => '{}');
    return (JSON.parse(text) as { at?: number }).at ?? 0;
  };
  await poll(lastSign, (at) => at >= begun, { everyMs: 100, withinMs: PROBE_PATIENCE_MS, signal });
}

/** What the probe has written down, which it does every few seconds, waiting until it is of that instant (Unix ms). */
async function probeUntil(context: Context, instant: number): Promise<ProbeReport | undefined> {
  const { deployment, folder, signal } = context;
  if (!deployment.policy.probe.enabled) return undefined;
  const read = async (): Promise<ProbeReport | undefined> => {
    const text = await readFile(join(folder, PROBE_REPORT), 'utf8').catch(() => undefined);
    return text === undefined ? undefined : (JSON.parse(text) as ProbeReport);
  };
  const isOf = (report: ProbeReport | undefined): boolean =>
    report !== undefined && Date.parse(report.endedAt) >= instant;
  return poll(read, isOf, { everyMs: 250, withinMs: PROBE_PATIENCE_MS, signal });
}

/** What the probe saw, where it has written enough of that time down. */
function clientsBetween(report: ProbeReport | undefined, from: number, until: number): Measurement['clients'] {
  const { series = [] } = report ?? {};
  const of = (operation: 'write' | 'read'): ClientLatency | undefined => {
    const seconds = series
      .filter((it) => it.operation === operation)
      .flatMap((it) => it.seconds)
      .filter(({ t, ok }) => t * 1000 >= from && (t + 1) * 1000 <= until && ok > 0);
    return new Set(seconds.map(({ t }) => t)).size < LEAST_SECONDS ? undefined : latencyOf(seconds);
  };
  const [write, read] = [of('write'), of('read')];
  return write && read ? { write, read } : undefined;
}

/** The median second of all clients and shards: one that stood still for a moment is no measure of the rest. */
function latencyOf(seconds: readonly ProbeSecond[]): ClientLatency {
  const median = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
  return { p50: median(seconds.map(({ p50 }) => p50)), p99: median(seconds.map(({ p99 }) => p99)) };
}
