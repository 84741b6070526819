import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ReportData } from '../../../model/report.js';
import { Sandbox } from '../../sandbox/cluster.js';
import { peakRssBytes } from '../../sandbox/peak-memory.js';
import { Stage } from '../../sandbox/stage.js';
import { holding } from '../bench.js';
import { rollByHand, type Bare } from './bare.js';
import { breakdown, type Kind } from './breakdown.js';
import { watchCores } from './cores.js';
import { fill } from './data.js';

/** `policy.verify`. */
export type Verify = 'all' | 'sample';

export interface UpgradeRow {
  from: string;
  to: string;
  gigabytes: number;
  shards: number;
  nodes: number;
  parallelShards: number;
  verify: Verify;
  keys: number;
  /** From the start of the workflow to its result, ms. */
  upgradeMs: number;
  /** Of the machine's cores meanwhile, percent. */
  coresBusy: number;
  bareMs: Bare;
  /** Upgrade by bare. */
  ratio: number;
  fullResyncs: number;
  partialResyncs: number;
  different: number;
  lost: number;
  /** What the comparisons read of each of their two nodes. */
  comparedBytes: number;
  /** The most that the worker had in memory during the upgrade, */
  workerPeakRssMb: number;
  /** and while it started: bundling the workflows takes more. */
  workerStartRssMb: number;
  steps: Kind[];
}

export interface MeasureInput {
  from: string;
  to: string;
  gigabytes: number;
  shards: number;
  parallelShards: number;
  verify: readonly Verify[];
  tell: (line: string) => void;
}

/** The same data again and again: rolled by hand, then upgraded by a worker, for each way to compare. */
export async function measure(input: MeasureInput): Promise<UpgradeRow[]> {
  const { from, to, gigabytes, shards, parallelShards, tell } = input;
  const what = `${gigabytes} GB in ${shards} ${shards === 1 ? 'shard' : 'shards'}`;
  tell(`${what}: by hand`);
  const { bareMs, keys } = await onCluster(input, async (cluster, written) => ({
    bareMs: await rollByHand(cluster, to),
    keys: written,
  }));
  const rows: UpgradeRow[] = [];
  for (const verify of input.verify) {
    tell(`${what}: ${seconds(bareMs.total)} by hand; upgrade, verify: ${verify}`);
    const row = await onCluster(input, (cluster) => upgraded(cluster, input, verify));
    tell(`${what}: ${seconds(row.upgradeMs)} upgraded`);
    const ratio = Math.round((100 * row.upgradeMs) / bareMs.total) / 100;
    rows.push({ from, to, gigabytes, shards, nodes: shards * 2, parallelShards, verify, keys, ...row, bareMs, ratio });
  }
  return rows;
}

async function onCluster<T>(
  { from, shards, gigabytes }: MeasureInput,
  act: (cluster: Sandbox, keys: number) => Promise<T>,
): Promise<T> {
  await using held = await holding(() => Sandbox.cluster({ release: from, primaries: shards }));
  return await act(held.resource, await fill(held.resource, gigabytes * 1e9));
}

/** What is measured is the work, not how long a busy machine keeps the gates waiting. */
const PATIENT = { maxLatency: '1m' };

async function upgraded(cluster: Sandbox, { to, parallelShards }: MeasureInput, verify: Verify) {
  await using held = await holding(() => Stage.open());
  const stage = held.resource;
  const policy = { canarySoak: '0s', soak: '0s', parallelShards, gates: PATIENT, verify };
  await stage.deploy('bench', cluster, { policy });
  const workerStartRssMb = peakRssMb(stage.workerPid);
  // Linux forgets the peak so far (proc(5)).
  await writeFile(`/proc/${stage.workerPid}/clear_refs`, '5');
  const coresBusySince = watchCores();
  const begun = performance.now();
  const operation = await stage.start('bench', to);
  const outcome = await operation.result();
  const upgradeMs = Math.round(performance.now() - begun);
  const coresBusy = coresBusySince();
  if (outcome.result !== 'completed') throw new Error(outcome.statement);
  const workerPeakRssMb = peakRssMb(stage.workerPid);
  const report = JSON.parse(await readFile(join(dirname(outcome.report), 'report.json'), 'utf8')) as ReportData;
  return {
    upgradeMs,
    coresBusy,
    fullResyncs: report.resyncs.filter(({ kind }) => kind === 'full').length,
    partialResyncs: report.resyncs.filter(({ kind }) => kind === 'partial').length,
    different: report.verify.reduce((sum, it) => sum + it.different, 0),
    lost: outcome.ledger?.lost ?? 0,
    comparedBytes: report.verify.reduce((sum, it) => sum + it.bytes, 0),
    workerPeakRssMb,
    workerStartRssMb,
    steps: breakdown(await operation.activities(), upgradeMs),
  };
}

const peakRssMb = (pid: number): number => Math.round(peakRssBytes(pid) / 1024 ** 2);

export const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
