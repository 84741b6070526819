import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster } from 'ioredis';
import { until } from '../../../scripts/sandbox/cluster.js';
import type { StandbyStage } from './stage.js';

/** Between two writes, ms: several tests share the machine. */
const PAUSE_MS = 1;

/** Writes one after the other through the cluster, as an application does, and remembers what was acknowledged. */
export function startWriting({ cluster, standby }: Pick<StandbyStage, 'cluster' | 'standby'>) {
  const { host, port } = cluster.endpoint();
  const client = new Cluster([{ host, port }], {
    scaleReads: 'master',
    retryDelayOnFailover: 20,
    maxRedirections: 500,
  });
  client.on('error', () => {
    // A node of the cluster is away; its commands say so.
  });
  const acknowledged: string[] = [];
  const failed: string[] = [];
  const state = { stopped: false };
  let longest = 0;
  const done = (async () => {
    let last = performance.now();
    for (let i = 0; !state.stopped; i++) {
      const key = `{06S}:${i}`;
      await client.set(key, i, 'EX', 3600).then(
        () => acknowledged.push(key),
        (error: unknown) => failed.push(String(error)),
      );
      const now = performance.now();
      if (i > 0) longest = Math.max(longest, now - last);
      await sleep(PAUSE_MS);
      last = performance.now();
    }
  })();
  const stop = async (): Promise<void> => {
    state.stopped = true;
    await done;
    client.disconnect();
  };
  return {
    acknowledged,
    failed,
    longestGapMs: () => longest,
    written: (more: number) => {
      const wanted = acknowledged.length + more;
      return until(`${more} more writes are acknowledged`, () => acknowledged.length >= wanted);
    },
    stop,
    /** Acknowledged, and not as written on the node that has the slots, the standby if nothing is said. */
    async lost(owner = standby.address): Promise<string[]> {
      await stop();
      const lost: string[] = [];
      for (let from = 0; from < acknowledged.length; from += 1000) {
        const keys = acknowledged.slice(from, from + 1000);
        const values = (await cluster.ask(owner, 'MGET', ...keys)) as (string | null)[];
        lost.push(...keys.filter((key, i) => values[i] !== key.split(':')[1]));
      }
      return lost;
    },
    [Symbol.asyncDispose]: stop,
  };
}
