import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { clientSummary } from '../../model/client-summary.js';
import { formatDuration } from '../../model/duration.js';
import type { ReportData } from '../../model/report.js';

/** What `--summary FILE` writes: the demo's outcome for scripts. */
export interface DemoSummary {
  result: NonNullable<ReportData['status']['result']>;
  from: string;
  to: string;
  nodes: number;
  durationMs: number;
  clients: { operations: number; failed: number; longestWriteGapMs: number; longestReadGapMs: number };
  ledger: { acknowledged: number; lost: number };
  resync: { full: number; partial: number };
  verify: { keys: number; different: number };
  report: string;
}

/**
 * Reads the outcome from the report that the upgrade wrote: every figure is one that somebody measured, and a figure
 * that nobody measured is an error, not a zero.
 */
export async function summarize(report: string): Promise<DemoSummary> {
  const data = JSON.parse(await readFile(join(dirname(report), 'report.json'), 'utf8')) as ReportData;
  const { status, probe, resyncs, verify } = data;
  if (!probe?.ledger) throw new Error(`${report} knows nothing of the clients: the probe's data is missing`);
  const { operations, failed, longestWriteGapMs, longestReadGapMs } = clientSummary(probe);
  const { acknowledged, lost } = probe.ledger;
  return {
    result: status.result ?? 'stopped',
    from: status.from,
    to: status.to,
    nodes: status.progress.nodes,
    durationMs: Date.parse(status.endedAt ?? data.generatedAt) - Date.parse(status.startedAt),
    clients: {
      operations,
      failed,
      longestWriteGapMs: Math.round(longestWriteGapMs),
      longestReadGapMs: Math.round(longestReadGapMs),
    },
    ledger: { acknowledged, lost },
    resync: {
      full: resyncs.filter((it) => it.kind === 'full').length,
      partial: resyncs.filter((it) => it.kind === 'partial').length,
    },
    verify: {
      keys: verify.reduce((sum, it) => sum + it.keys, 0),
      different: verify.reduce((sum, it) => sum + it.different, 0),
    },
    report,
  };
}

/** The summary for a person. */
export function tellSummary(it: DemoSummary): string[] {
  const n = (value: number): string => value.toLocaleString('en');
  return [
    `${it.result}: ${it.nodes} nodes from Redis ${it.from} to ${it.to} in ${formatDuration(it.durationMs)}`,
    `clients    ${n(it.clients.operations)} operations, ${n(it.clients.failed)} failed; longest write gap ${it.clients.longestWriteGapMs} ms, read gap ${it.clients.longestReadGapMs} ms`,
    `ledger     ${n(it.ledger.acknowledged)} acknowledged writes, ${n(it.ledger.lost)} lost`,
    `resyncs    ${it.resync.partial} partial, ${it.resync.full} full`,
    `verified   ${n(it.verify.keys)} keys compared with their primary's, ${n(it.verify.different)} different`,
    `report     ${it.report}`,
  ];
}
