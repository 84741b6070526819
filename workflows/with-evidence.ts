import { workflowInfo } from '@temporalio/workflow';
import { backupId } from '../model/backup-manifest.js';
import type { LedgerResult } from '../model/evidence.js';
import type { TopologyView } from '../model/topology.js';
import { FellBack, messageOf, stopped } from './failure.js';
import { inParallel } from '../model/in-parallel.js';
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
  const { approvals, fallback } = run.assessment.policy;
  return inFrame(run, async (clients) => {
    if (fallback === 'standby') await run.followers.resume();
    // Where people are asked, what nothing is written for is looked at first; their answer may take days, so all of it again.
    if (approvals.start) await run.gates.hold(beforeStart, 'before anybody is asked');
    await run.approval('start', approvals.start, `Start the upgrade of ${run.status.deployment}?`);
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
    const end = asked ? await fallBackWithin(run, asked) : error;
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

const ENDING = 'it ends at this moment: ask once more when it has, and a fallback is started by itself';

/**
 * Starts the probe, waits until clients are seen to be well, and backs up: beside the probe's first measure where all else
 * passes at once. A probe that can't be started ends it.
 */
async function backUpUnderWatch(run: Run, clients: ClientWatch, topology: TopologyView): Promise<void> {
  let failed: Error | undefined;
  clients.start();
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
}

/** Between two hops: gates, and a backup of its own, from which the release that runs now can be restored. */
export async function beforeHop(run: Run, topology: TopologyView): Promise<void> {
  const { to } = run.assessment;
  await run.gates.hold([...beforeStart, ...asClientsSee], `before the hop to ${to}`);
  await backUp(run, topology, to);
}

async function backUp(run: Run, { shards }: TopologyView, hop?: string): Promise<void> {
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
