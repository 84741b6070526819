import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { activityInfo } from '@temporalio/activity';
import type { BenchmarkPolicy, BenchmarkRound } from '../model/benchmark.js';
import type { LoadResult, LoadShape } from '../model/load-shape.js';
import { sawNothing, type LoadSeen, type StagingActivities } from '../model/staging-work.js';
import type { Order } from '../model/work.js';
import { findServers } from '../platforms/process/servers.js';
import type { LoadInput } from '../redis/load/open-load.js';
import { fillLoad, playLoad } from '../redis/load/process.js';
import { redisBenchmark } from '../redis/load/redis-benchmark.js';
import { watchUsage } from '../redis/load/usage.js';
import { readTopology } from '../redis/topology.js';
import { heartbeating, type Context } from './context.js';
import type { Dependencies } from './dependencies.js';
import { emptyServer } from './empty-server.js';
import { serverFor } from './server-for.js';
import { copyContext } from './staging-copy.js';

/** Before every key of the load: production's own are never written to. */
const PREFIX = 'redis-rollout-load';
/** How long a part of the load lasts that is played during an upgrade, ms: so late it hears that it is over. */
const PART_MS = 5000;

/** Traffic on a copy: measured in a benchmark, and played while it is upgraded. */
export function copyLoadActivities(dependencies: Dependencies): Pick<StagingActivities, 'benchmarkCopy' | 'loadCopy'> {
  const open = async (input: Order & { shape: LoadShape }): Promise<{ context: Context; load: LoadInput }> => {
    const context = await copyContext(dependencies, input);
    const { endpoint, deployment } = context;
    const load = { seeds: deployment.seeds, endpoint, shape: input.shape, seed: 1, prefix: PREFIX };
    return { context, load: { ...load, warmUpMs: 0, forMs: PART_MS, connections: 1 } };
  };
  return {
    benchmarkCopy: (input) =>
      heartbeating(async (progress) => {
        const { context, load } = await open(input);
        const { signal, endpoint, deployment } = context;
        const { rounds, duration, warmUp, connections } = input.policy;
        // An attempt that died had run some of them.
        const done = [...((activityInfo().heartbeatDetails as BenchmarkRound[] | undefined) ?? [])];
        progress(done);
        await fillLoad(load, signal);
        const { shards } = await readTopology(endpoint, deployment.seeds);
        const primaries = shards.map(({ primary }) => primary.address);
        const release = shards[0]?.primary.release ?? '';
        while (done.length < rounds) {
          const usageSince = await watchUsage(endpoint, primaries);
          const played = await playLoad(
            { ...load, warmUpMs: warmUp, forMs: duration, connections, seed: done.length + 1 },
            signal,
          );
          const usage = await usageSince();
          const throughput = await ownBenchmark(release, deployment.platform.servers, { ...input, signal });
          done.push({
            ...{ at: new Date().toISOString(), release, load: played, usage },
            ...(throughput === undefined ? {} : { throughput }),
          });
          progress(done);
        }
        return done;
      }),

    loadCopy: (input) =>
      heartbeating(async (progress) => {
        const { context, load } = await open(input);
        const { signal } = context;
        const before = activityInfo().heartbeatDetails as LoadSeen | undefined;
        let seen = before ?? sawNothing;
        // What is under way is played to its end: what it saw belongs to the upgrade.
        const unending = new AbortController().signal;
        if (!before) await fillLoad(load, unending);
        for (let part = 1; !signal.aborted; part++) {
          const played = await playLoad({ ...load, seed: part }, unending);
          seen = added(seen, played);
          progress(seen);
        }
        // A worker that is shut down leaves it to the next one.
        if (signal.reason instanceof Error && signal.reason.message === 'WORKER_SHUTDOWN') throw signal.reason;
        return seen;
      }),
  };
}

function added(seen: LoadSeen, { operations, failed, failures, latency, notes }: LoadResult): LoadSeen {
  const all = { ...seen.failures };
  for (const [kind, count] of Object.entries(failures)) all[kind] = (all[kind] ?? 0) + count;
  return {
    ...{ operations: seen.operations + operations, failed: seen.failed + failed, failures: all },
    ...{ p99Ms: Math.max(seen.p99Ms, latency.p99), maxMs: Math.max(seen.maxMs, latency.max), notes },
  };
}

/** Of a server of the release without any data, beside the copy; undefined where either program is not at hand. */
async function ownBenchmark(
  release: string,
  named: Readonly<Record<string, string>>,
  { policy, shape, signal }: { policy: BenchmarkPolicy; shape: LoadShape; signal: AbortSignal },
): Promise<Record<string, number> | undefined> {
  const [program, server] = [await benchmarkProgram(named), await serverFor(release, named)];
  if (program === undefined || !server) return undefined;
  await using empty = await emptyServer(server.program, signal, { open: true });
  return await redisBenchmark({ program, port: empty.endpoint.port, requests: policy.requests, shape }, signal);
}

/** The newest at hand, the same before and after: a benchmark of two clients would compare these. */
async function benchmarkProgram(named: Readonly<Record<string, string>>): Promise<string | undefined> {
  const programs = [...(await findServers(named)).values()].flatMap((server) =>
    ['redis-benchmark', 'valkey-benchmark'].map((name) => join(dirname(server), name)),
  );
  return programs.filter((path) => existsSync(path)).at(-1);
}
