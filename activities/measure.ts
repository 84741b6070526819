import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { checksOf } from '../model/checks.js';
import type { ProbeRecent } from '../model/evidence.js';
import { allNodes } from '../model/topology.js';
import { measured, type Measurement } from '../model/validation/measurement.js';
import type { ValidationActivities } from '../model/work.js';
import { readCounters } from '../redis/counters.js';
import { poll } from '../redis/roles.js';
import { contextFor, heartbeating, type Context } from './context.js';
import type { Dependencies } from './dependencies.js';
import { RECENT } from './observe.js';
import { wholeCluster } from './probe.js';
import { runCheck } from './run-check.js';

/** How long the probe may take to be started, ms. */
const PROBE_PATIENCE_MS = 20_000;

interface Recent {
  /** Unix ms. */
  at: number;
  recent: ProbeRecent[];
}

export function validationActivities(dependencies: Dependencies): ValidationActivities {
  return {
    // Begun anew by an attempt that follows another: a measure has two ends.
    measure: (input) =>
      heartbeating(async () => {
        const context = await contextFor(dependencies, input);
        const primaries = (await wholeCluster(context)).map(({ primary }) => primary.address);
        // Started at the same time, or again where its worker has died.
        await recentFrom(context, Date.now());
        const before = await readCounters(context.endpoint, primaries);
        const from = Date.now();
        await sleep(input.ms, undefined, { signal: context.signal });
        const after = await readCounters(context.endpoint, primaries);
        const until = Date.now();
        return measured(before, after, { from, until }, clientsIn(await recentFrom(context, until)));
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

/** What the probe last said of its last ten seconds, from this instant (Unix ms) on; undefined where it does not run. */
async function recentFrom({ deployment, folder, signal }: Context, instant: number): Promise<Recent | undefined> {
  if (!deployment.policy.probe.enabled) return undefined;
  const read = async (): Promise<Recent | undefined> => {
    const text = await readFile(join(folder, RECENT), 'utf8').catch(() => undefined);
    return text === undefined ? undefined : (JSON.parse(text) as Recent);
  };
  const isNew = (found: Recent | undefined): boolean => found !== undefined && found.at >= instant;
  const found = await poll(read, isNew, { everyMs: 100, withinMs: PROBE_PATIENCE_MS, signal });
  return isNew(found) ? found : undefined;
}

/** The median shard: one whose clients stood still for a moment is no measure of the rest. */
function clientsIn(found: Recent | undefined): Measurement['clients'] {
  const all = (found?.recent ?? []).filter(({ operations }) => operations > 0).map(({ p99Ms }) => p99Ms);
  const p99 = all.sort((a, b) => a - b)[Math.floor(all.length / 2)];
  return p99 === undefined ? undefined : { p99 };
}
