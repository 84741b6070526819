import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { clientSummary } from '../../model/client-summary.js';
import { formatDuration } from '../../model/duration.js';
import type { ReportData } from '../../model/report.js';
import { tellPhases, type PhaseSummary } from './phases.js';
import type { TrafficResult } from './traffic.js';

/** What `--summary FILE` writes: the demo's outcome for scripts. */
export interface DemoSummary {
  result: NonNullable<ReportData['status']['result']>;
  from: string;
  /** The release that it ended on. */
  to: string;
  nodes: number;
  durationMs: number;
  /** Of the probe, and of the application where there is one; gaps are as the probe saw them. */
  clients: { operations: number; failed: number; longestWriteGapMs: number; longestReadGapMs: number };
  ledger: { acknowledged: number; lost: number };
  resync: { full: number; partial: number };
  verify: { keys: number; different: number };
  /** With --fallback. */
  application?: TrafficResult;
  fallback?: {
    class: 'lossless' | 'lossless-except' | 'restore-only';
    /** The release that it went back from. */
    from: string;
    /** For how long writes were held at a shard's cutover, at most. */
    cutoverGapMs: number;
    /** How far a standby was behind its primary at any time, at most. */
    lagMsMax: number;
    /** Commands that the followers applied, and of these those that were written otherwise. */
    commands: number;
    rewritten: number;
    /** Keys that were copied again. */
    recopied: number;
    /** What the release of before could not hold: keys, elements and the like. */
    notRepresentable: number;
  };
  /** With --full: each part of it, as it reported itself. */
  phases?: PhaseSummary[];
  report: string;
}

/** Of a `--full` that came to no upgrade: blocked by the assessment, or by a rehearsal that ended in no-go. */
export interface StoppedSummary {
  result: 'stopped';
  phases: PhaseSummary[];
}

/**
 * Reads the outcome from the report that the upgrade wrote: every figure is one that somebody measured, and a figure
 * that nobody measured is an error, not a zero.
 */
export async function summarize(report: string, application?: TrafficResult): Promise<DemoSummary> {
  const data = JSON.parse(await readFile(join(dirname(report), 'report.json'), 'utf8')) as ReportData;
  const { status, probe, resyncs, verify } = data;
  if (!probe?.ledger) throw new Error(`${report} knows nothing of the clients: the probe's data is missing`);
  const { operations, failed, longestWriteGapMs, longestReadGapMs } = clientSummary(probe);
  const { acknowledged, lost } = probe.ledger;
  const fallback = wayBack(data);
  return {
    result: status.result ?? 'stopped',
    from: status.from,
    to: fallback ? releaseOfAll(data) : status.to,
    nodes: status.progress.nodes,
    durationMs: Date.parse(status.endedAt ?? data.generatedAt) - Date.parse(status.startedAt),
    clients: {
      operations: operations + (application?.operations ?? 0),
      failed: failed + (application?.failed ?? 0),
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
    ...(application ? { application } : {}),
    ...(fallback ? { fallback } : {}),
    report,
  };
}

function wayBack({ incidents, cutovers = [], followers = [] }: ReportData): DemoSummary['fallback'] {
  const incident = incidents?.at(-1);
  if (!incident) return undefined;
  if (cutovers.length === 0 || followers.length === 0)
    throw new Error('the report knows of a fallback, and of no cutover or no follower');
  const sum = (of: (it: (typeof followers)[number]) => number): number =>
    followers.reduce((total, it) => total + of(it), 0);
  return {
    class: incident.class,
    from: incident.from,
    cutoverGapMs: Math.round(Math.max(...cutovers.map(({ gapMs }) => gapMs))),
    lagMsMax: Math.round(Math.max(...followers.map(({ lagMsMax }) => lagMsMax))),
    commands: sum(({ commands }) => commands),
    rewritten: sum(({ rewritten }) => rewritten),
    recopied: sum(({ recopied }) => recopied),
    notRepresentable: sum((it) => it.notRepresentable.reduce((total, { count }) => total + count, 0)),
  };
}

/** Of a deployment of which a part is on another release it names both. */
const releaseOfAll = ({ status }: ReportData): string =>
  [...new Set(status.shards.flatMap(({ nodes }) => nodes.map(({ release }) => release)))].join(' and ');

/** Is everything there that was acknowledged, and was nobody refused? */
export const isSound = ({ clients, ledger, verify, application }: DemoSummary): boolean =>
  clients.failed === 0 && ledger.lost === 0 && verify.different === 0 && !application?.wrong.length;

/** The summary for a person. */
export function tellSummary(it: DemoSummary): string[] {
  const n = (value: number): string => value.toLocaleString('en');
  const { application, fallback } = it;
  const way = fallback ? `${it.from} to ${fallback.from}, and back to ${it.to},` : `${it.from} to ${it.to}`;
  return [
    ...(it.phases ? [...tellPhases(it.phases), ''] : []),
    `${it.result}: ${it.nodes} nodes from Redis ${way} in ${formatDuration(it.durationMs)}`,
    `clients    ${n(it.clients.operations)} operations, ${n(it.clients.failed)} failed; longest write gap ${it.clients.longestWriteGapMs} ms, read gap ${it.clients.longestReadGapMs} ms`,
    ...(application ? tellApplication(application, it.from) : []),
    `ledger     ${n(it.ledger.acknowledged)} acknowledged writes, ${n(it.ledger.lost)} lost`,
    ...(fallback
      ? [
          `way back   ${fallback.class}; writes held for ${fallback.cutoverGapMs} ms at most, once a shard; standbys ${formatDuration(fallback.lagMsMax)} behind at most`,
          `followed   ${n(fallback.commands)} commands, ${n(fallback.rewritten)} of them rewritten; ${n(fallback.recopied)} keys copied again; ${fallback.notRepresentable === 0 ? 'nothing' : n(fallback.notRepresentable)} that ${it.from} can't hold`,
        ]
      : []),
    `resyncs    ${it.resync.partial} partial, ${it.resync.full} full${fallback ? ' (an older release begins anew)' : ''}`,
    `verified   ${n(it.verify.keys)} keys compared with their primary's, ${n(it.verify.different)} different`,
    `report     ${it.report}`,
  ];
}

function tellApplication({ operations, newer, wrong }: TrafficResult, from: string): string[] {
  return [
    `of these   ${operations.toLocaleString('en')} the application's, ${newer.toLocaleString('en')} of them unknown to ${from}; ${wrong.length === 0 ? 'every value is what it has to be' : `${wrong.length} values are wrong:`}`,
    ...wrong.slice(0, 10).map((line) => `           ${line}`),
  ];
}
