import { expect } from 'vitest';
import type { Activities } from '../../../model/work.js';
import { processesIn } from '../../../platforms/process/processes.js';
import type { Sandbox } from '../../../scripts/sandbox/cluster.js';
import type { Stage } from '../../../scripts/sandbox/stage.js';
import type { WorkerFault } from '../../../scripts/sandbox/worker-faults.js';
import { thorough } from '../../thorough.js';

// The worker is killed before, in the middle of and after every activity of an upgrade and of its way back, and on the
// retries too. The type has a new one be here from its first day on. Those of backups are killed in their own tests.
type Activity = keyof Activities;

/** In which test each is killed: in an upgrade as any, or in what only these come by. */
const places: Record<
  Activity,
  'anywhere' | 'with a sibling' | 'taken back' | 'brought back' | 'there and back' | 'restored' | 'hooked' | 'validated'
> = {
  assess: 'anywhere',
  readCluster: 'anywhere',
  readShard: 'anywhere',
  checkGates: 'anywhere',
  prepareShard: 'anywhere',
  putBackShard: 'anywhere',
  isolate: 'anywhere',
  snapshot: 'anywhere',
  swapVersion: 'anywhere',
  rejoin: 'anywhere',
  verifyNode: 'anywhere',
  release: 'anywhere',
  handOver: 'anywhere',
  runProbe: 'anywhere',
  readLedger: 'anywhere',
  backUpShard: 'anywhere',
  completeBackup: 'anywhere',
  writeReport: 'anywhere',
  sealAudit: 'anywhere',
  compareReplica: 'with a sibling',
  revert: 'taken back',
  bringBack: 'brought back',
  addStandby: 'there and back',
  freezeStandby: 'there and back',
  readStandbys: 'there and back',
  removeStandby: 'there and back',
  follow: 'there and back',
  seeStandbys: 'there and back',
  assessFallback: 'there and back',
  lookBack: 'there and back',
  cutOver: 'there and back',
  returnNode: 'there and back',
  // In hooks.test.ts.
  runHook: 'hooked',
  // In validation.test.ts.
  measure: 'validated',
  checkApplication: 'validated',
  // In fallback-restore.test.ts.
  restoreShard: 'restored',
};

/** The moments worth more than any others: killed right before this is done to the world. */
const worst: Partial<Record<Activity, readonly string[]>> = {
  prepareShard: ['CONFIG SET repl-backlog-size'],
  isolate: ['CONFIG SET'],
  snapshot: ['BGSAVE', 'symlink'],
  swapVersion: ['SHUTDOWN', 'spawn'],
  verifyNode: ['SCAN'],
  backUpShard: ['PSYNC'],
  completeBackup: ['rename'],
  writeReport: ['report.html'],
  sealAudit: ['link'],
  handOver: ['CLUSTER FAILOVER'],
  release: ['CONFIG SET'],
  revert: ['spawn'],
  bringBack: ['spawn'],
  readLedger: ['UNLINK'],
  putBackShard: ['CONFIG SET repl-backlog-size'],
  addStandby: ['spawn'],
  freezeStandby: ['REPLICAOF', 'spawn', 'CLUSTER MEET'],
  removeStandby: ['CLUSTER FORGET'],
  follow: ['EVALSHA'],
  cutOver: ['CLIENT PAUSE', 'EVALSHA'],
  returnNode: ['SHUTDOWN', 'spawn'],
};

/**
 * In the middle of each, and after it has done what it does, its reply lost. A thorough run kills before each activity too, and at
 * other moments: twice the time, for the same steps.
 *
 * @param node only at this one
 */
export function killsOf(activity: Activity, node?: string): WorkerFault[] {
  const middle = worst[activity] ?? [thorough ? 10 : 1];
  const during = [...(thorough ? [2] : []), ...middle].map((at) => ({ when: 'during' as const, at }));
  const before = thorough ? [{ when: 'before' as const }] : [];
  // Each but the first befalls the retry of the one before.
  return [...before, ...during, { when: 'after' as const }].map((moment) => ({
    ...{ activity, kind: 'kill', ...moment },
    ...(node === undefined ? {} : { node }),
  }));
}

export const killsIn = (place: (typeof places)[Activity] = 'anywhere'): WorkerFault[] =>
  (Object.keys(places) as Activity[])
    .filter((activity) => places[activity] === place)
    .flatMap((activity) => killsOf(activity));

export const policy = { canarySoak: '0s', soak: '0s' } as const;

/** Every kill has happened, and no process has outlived the workers that started it but the nodes' own servers. */
export async function expectKilled(stage: Stage, cluster: Sandbox): Promise<void> {
  expect(await stage.faults.unfired()).toEqual([]);
  for (const { home } of cluster.nodes) expect(await processesIn(home, [])).toHaveLength(1);
}
