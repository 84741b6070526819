import type { RestoreRecord } from '../model/evidence.js';
import { restoreText, saidLast, type RestoreSaid } from '../model/restore.js';
import type { ShardRestore } from '../model/fallback-work.js';
import { act } from './proxies.js';
import type { Run } from './run.js';
import { noteComparison } from './validate.js';

/**
 * Puts a shard's backup in the place of what it serves. From here on it is approved: whatever interrupts it, the next
 * fallback goes on with it.
 */
export async function restoreShard(run: Run, input: ShardRestore): Promise<RestoreRecord> {
  const { shard, primary, to, backup } = input;
  const where = { shard, node: primary };
  run.phase('restoring', `${shard}: ${primary} to ${to}, on the backup of ${backup.at}`, where);
  await run.gates.hold(['topology'], `before ${shard} is restored`, { shard });
  return finishRestore(run, input);
}

/** As restoreShard, of one that was interrupted: its primary may be down, and no gate would pass. */
export async function finishRestore(run: Run, input: ShardRestore): Promise<RestoreRecord> {
  const { shard, primary, to } = input;
  const where = { shard, node: primary };
  run.untouched = false;
  const record = await run.step(`restore on ${to}`, { ...where, kind: 'swap' }, () =>
    act('restoreShard', `restore ${shard} at ${primary}`, { ...run.order, ...input }),
  );
  (run.record.restores ??= []).push(record);
  const { fallback } = run.status;
  const { node, release, lossWindow, keptAside } = record;
  const said: RestoreSaid = { state: 'restored', shard, node, release, lossWindow, keptAside };
  if (fallback) fallback.restore = saidLast(fallback.restore ?? [], said);
  run.note('note', restoreText(said), where);
  for (const { verified, ...resync } of record.replicas) {
    run.record.resyncs.push({ ...resync, release: to });
    run.record.verify.push(verified);
    noteComparison(run, verified);
  }
  const addresses = [primary, ...record.replicas.map(({ node }) => node)];
  for (const node of addresses) run.record.releases.push({ node, before: run.node(node)?.release ?? '', after: to });
  run.family.tellNodes({ addresses, release: to, state: 'reverted' });
  return record;
}
