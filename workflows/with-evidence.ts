import { workflowInfo } from '@temporalio/workflow';
import { backupId } from '../model/backup-manifest.js';
import type { LedgerResult } from '../model/evidence.js';
import type { ShardView, TopologyView } from '../model/topology.js';
import { FellBack, messageOf, stopped } from './failure.js';
import { inParallel } from '../model/in-parallel.js';
import type { FallbackAsked } from './operation.js';
import { measureBaseline } from './performance.js';
import { during, skipped } from './phases.js';
import { act } from './proxies.js';
import type { Run } from './run.js';
import { askedToFallBack, fallBackWithin } from './fall-back-within.js';
import { ClientWatch } from './watch-clients.js';

/** What these look at is read, and nothing is written for it. */
const beforeStart = ['topology', 'replication', 'memory', 'disk'];
export const asClientsSee = ['latency', 'errors'];

/** How many backups are taken at once at least: one of 7.0 and newer begins 5 s late (`repl-diskless-sync-delay`). */
const BACKUPS_AT_ONCE = 3;

/**
 * The frame of every operation that is nobody's child: gates, the approval to start, the probe, a verified backup of what
 * is going to be touched; at the end, whatever the outcome, the ledger read back. Nothing is done to a node outside of it.
 */
export async function withEvidence<Result extends object>(
  run: Run,
  topology: TopologyView,
  body: () => Promise<Result>,
): Promise<Result & { ledger?: LedgerResult }> {
  const { fallback } = run.assessment.policy;
  return inFrame(run, async (clients) => {
    if (fallback === 'standby') await run.followers.resume();
    await run.hooks.at('before upgrade');
    await approved(run, 'start', `Start the upgrade of ${run.status.deployment}?`);
    await backUpUnderWatch(run, clients, topology);
    return body();
  });
}

/**
 * The frame of a fallback that is nobody's child. Nothing is held for clients: that they are not well may be why it is
 * begun. The backup is the upgrade's own, from before anything was touched.
 */
export const underWatch = <Result extends object>(
  run: Run,
  body: () => Promise<Result>,
): Promise<Result & { ledger?: LedgerResult }> =>
  inFrame(run, (clients) => {
    clients.start();
    return body();
  });

/** What people are asked of the whole; where the policy asks nobody, that is on record. */
export async function approved(run: Run, name: 'start' | 'finalize', question: string): Promise<void> {
  const policy = run.assessment.policy.approvals[name];
  if (!policy) {
    skipped(run, `${name} approval`, `policy.approvals.${name} is left out`);
    return run.approval(name, policy, question);
  }
  await during(run, `${name} approval`, async () => {
    // What nothing is written for is looked at first; their answer may take days, so all of it again.
    if (name === 'start') await run.gates.hold(beforeStart, 'before anybody is asked');
    await run.approval(name, policy, question);
  });
}

async function inFrame<Result extends object>(
  run: Run,
  body: (clients: ClientWatch) => Promise<Result>,
): Promise<Result & { ledger?: LedgerResult }> {
  const clients = new ClientWatch(run);
  let result: Result;
  try {
    result = await body(clients);
    // Asked for while the last of it was done: nothing of it is finalized yet.
    if (run.fallbackAsked && run.pointOfNoReturn === undefined) run.heedAbort();
  } catch (error) {
    const asked = askedToFallBack(run, error);
    if (asked) clients.start();
    const end = asked ? await takenBack(run, asked) : error;
    run.pointOfNoReturn ??= ENDING;
    // Whatever the outcome: what clients saw, and whether a write is missing, is known at the end.
    const ledger = await clients.readBack(end instanceof FellBack ? 'done' : 'failed').catch((second: unknown) => {
      run.note('failure', `the ledger could not be read back: ${messageOf(second)}`);
      return undefined;
    });
    await run.followers.stop();
    throw ledger && ledger.lost > 0 ? lost(ledger, `, and ${messageOf(end)}`) : end;
  }
  run.pointOfNoReturn ??= ENDING;
  const ledger = await clients.readBack('done');
  await run.followers.stop();
  if (ledger && ledger.lost > 0) throw lost(ledger);
  return { ...result, ...(ledger ? { ledger } : {}) };
}

/** How it ends, whatever that is: it is told, and not thrown. */
async function takenBack(run: Run, asked: FallbackAsked): Promise<unknown> {
  try {
    return await during(run, 'fallback', async () => {
      const end = await fallBackWithin(run, asked);
      if (end instanceof FellBack) return end;
      throw end;
    });
  } catch (error) {
    return error;
  }
}

const ENDING = 'it ends at this moment: ask once more when it has, and a fallback is started by itself';

/**
 * Starts the probe, waits until clients are seen to be well, and backs up: beside the probe's first measure where all else
 * passes at once. A probe that can't be started ends it.
 */
async function backUpUnderWatch(run: Run, clients: ClientWatch, topology: TopologyView): Promise<void> {
  let failed: Error | undefined;
  clients.start();
  if (run.status.operation === 'upgrade') await measureBaseline(run);
  await run.hooks.at('before backup');
  run.gates.hopeless = () => clients.failure ?? failed;
  const backups = async (): Promise<void> => {
    try {
      await backUp(run, topology);
    } catch (error) {
      failed = error as Error;
      throw error;
    }
  };
  const beside = await run.gates.pass(beforeStart, 'before the backups');
  const [backedUp, well] = await Promise.allSettled([
    beside ? backups() : undefined,
    run.gates.hold([...beforeStart, ...asClientsSee], 'before anything is touched'),
  ]);
  // From the first node on, a probe that has ended holds the gates and doesn't end the upgrade.
  run.gates.hopeless = undefined;
  for (const it of [backedUp, well]) if (it.status === 'rejected') throw it.reason;
  if (!beside) await backups();
  if (clients.failure) throw clients.failure;
  await run.hooks.at('after backup');
}

/** Between two hops: gates, and a backup of its own, from which the release that runs now can be restored. */
export async function beforeHop(run: Run, topology: TopologyView): Promise<void> {
  const { to } = run.assessment;
  await run.gates.hold([...beforeStart, ...asClientsSee], `before the hop to ${to}`);
  await run.hooks.at('before backup');
  await backUp(run, topology, to);
  await run.hooks.at('after backup');
}

async function backUp(run: Run, { shards }: TopologyView, hop?: string): Promise<void> {
  await during(run, 'backup', () => backUpAll(run, shards, hop));
}

async function backUpAll(run: Run, shards: readonly ShardView[], hop: string | undefined): Promise<void> {
  run.phase(
    'backing up',
    `a verified snapshot of every shard, before anything ${hop === undefined ? 'changes' : `of ${hop} starts`}`,
  );
  const startedAt = run.now();
  const backup = backupId(startedAt, workflowInfo().runId.slice(-8));
  const order = { ...run.order, backup, ...(hop === undefined ? {} : { hop }) };
  const atOnce = Math.max(BACKUPS_AT_ONCE, run.assessment.policy.parallelShards);
  const stillOfUse = (): void => {
    const hopeless = run.gates.hopeless?.();
    if (hopeless) throw hopeless;
  };
  await inParallel(shards, atOnce, async ({ name: shard, slots, primary, replicas }) => {
    await run.checkpoint();
    stillOfUse();
    const record = await run.step('back up', { shard }, () =>
      act('backUpShard', `back up ${shard}`, {
        ...{ ...order, shard, slots },
        primary: primary.address,
        replicas: replicas.map((it) => it.address),
      }),
    );
    run.record.backups.push(record);
    const { node, keys, bytes, sha256 } = record;
    run.note('check', `backup from ${node}, read whole: ${keys} keys, ${bytes} bytes, SHA-256 ${sha256}`, { shard });
  });
  // Older ones are removed for it.
  stillOfUse();
  await act('completeBackup', 'keep the newest backups', {
    ...{ ...order, startedAt, startedBy: run.status.startedBy, before: run.assessment.to },
    shards: shards.map(({ name }) => name),
  });
}

function lost({ lost: count, acknowledged, examples: [first] }: LedgerResult, also = ''): Error {
  const such = first ? ` (${first.key}: expected ${first.expected}, found ${first.found})` : '';
  return stopped(
    `${count} of ${acknowledged} acknowledged writes are gone, or not as they were written${such}${also}`,
    undefined,
    'Lost',
  );
}
