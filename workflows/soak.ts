import type { Run } from './run.js';

/** A node that stands still now and then is seen in a soak, where nothing hurries, ms. */
const SOAK_WATCH_MS = 1000;

/** Watches for a while; an abort ends it. */
export async function soak(
  run: Run,
  phase: 'canary' | 'soaking',
  ms: number,
  reason: string,
  shard?: string,
): Promise<void> {
  const where = shard === undefined ? {} : { shard };
  run.phase(phase, reason, where);
  const end = Date.now() + ms;
  await run.followers.look();
  const { fallback, fallbackWhen, gates } = run.assessment.policy;
  const own = gates.prometheus?.queries.map(({ name }) => name) ?? [];
  const when = phase === 'soaking' && fallbackWhen.gates.length > 0 ? fallbackWhen : undefined;
  const names = [
    ...new Set([
      ...['topology', 'replication', 'latency', 'errors'],
      ...(phase === 'soaking' && fallback === 'standby' ? ['standby'] : []),
      ...(when?.gates.filter((gate) => !own.includes(gate)) ?? []),
    ]),
  ];
  for (let left = ms; left > 0; left = end - Date.now()) {
    await run.waitFor(
      {
        kind: 'soak',
        name: phase,
        reason,
        since: run.now(),
        clears: `the soak ends at ${new Date(end).toISOString()}`,
        command: `rollout watch ${run.status.deployment}`,
        ...where,
      },
      () => false,
      // At most 200 looks, however long: each is a dozen events of the history.
      Math.min(left, Math.max(ms / 200, 60_000)),
    );
    await run.followers.look();
    await run.gates.hold(names, `during ${phase}`, where, { watchMs: SOAK_WATCH_MS }, when);
  }
}
