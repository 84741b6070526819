import { formatDuration } from '../duration.js';
import { failures } from '../failures.js';
import type { OperationStatus } from '../operation.js';
import type { ReportData } from '../report.js';
import { lossText } from '../restore.js';
import { goOn } from '../standing.js';
import { parseRelease } from '../release.js';
import { count, countOf, fromTo, latency } from './quantities.js';
import { totalsOf, type Totals } from './totals.js';

export interface ReportVerdict {
  /** good: done and proven. caution: done, with something to look at, or not everything was proven. */
  tone: 'good' | 'caution' | 'bad' | 'running' | 'waiting';
  /** `Completed`, `Stopped`, `Running: handing over`. */
  label: string;
  /** The whole outcome as one plain sentence (or two). */
  sentence: string;
  /** What else was proven, as one sentence; empty when there is nothing. */
  proof: string;
  /** Why it isn't simply good: each a sentence. */
  findings: string[];
  /** Where everything stands and what goes on, for an operation that runs or ended early. */
  statement: string | undefined;
  /** Commands that go on, each with what it answers. */
  next: { why: string; command: string }[];
}

/** The report in words, from nothing but its data: what was not measured is said to be unknown. Used by report and CLI. */
export function reportVerdict(data: ReportData): ReportVerdict {
  const totals = totalsOf(data);
  const { status } = data;
  const findings = findingsOf(data, totals);
  const proof = proofOf(data, totals);
  const end = status.result ?? ended(status.phase);
  const common = { proof, findings };
  if (end === 'fell back' || (end === 'completed' && status.operation === 'fallback'))
    return wentBack(data, totals, common);
  if (end === 'completed') {
    const bad = (totals.lost ?? 0) > 0 || (totals.different ?? 0) > 0;
    const proven = totals.operations !== undefined && totals.acknowledged !== undefined && totals.keys !== undefined;
    const sentence = `${status.deployment} went from ${fromTo(status.from, reached(data))}${byWayOf(status)} in ${formatDuration(totals.elapsedMs)}`;
    return {
      ...common,
      tone: bad ? 'bad' : findings.length > 0 || !proven ? 'caution' : 'good',
      label: bad
        ? 'Completed, but the data is not right'
        : findings.length > 0
          ? 'Completed, with findings'
          : proven
            ? 'Completed'
            : 'Completed, not everything was measured',
      sentence: withClients(sentence, totals),
      // The sentence says it all, and more.
      statement: undefined,
      next: [],
    };
  }
  const { upgraded, nodes } = status.progress;
  const way = `${fromTo(status.from, status.to)}${byWayOf(status)}`;
  const after = formatDuration(totals.elapsedMs);
  if (end === 'stopped' || end === 'aborted') {
    const what = end === 'stopped' ? 'stopped' : 'was aborted';
    return {
      ...common,
      tone: 'bad',
      label: end === 'stopped' ? 'Stopped' : 'Aborted',
      sentence: withClients(
        `${whatEnded(status)} from ${way} ${what} after ${after} with ${upgraded} of ${countOf(nodes, 'node')} ${status.operation === 'fallback' ? 'back' : 'upgraded'}`,
        totals,
      ),
      statement: withoutCommand(status.statement ?? status.reason),
      next: nextCommands(data),
    };
  }
  const [first] = status.waiting;
  return {
    ...common,
    tone: first ? 'waiting' : 'running',
    label: first ? `Waiting: ${first.kind} ${first.name}` : `Running: ${status.phase}`,
    sentence: withClients(
      `${status.deployment} is on its way from ${way}: ${upgraded} of ${countOf(nodes, 'node')} upgraded after ${after}`,
      totals,
      'so far ',
    ),
    statement: status.reason,
    next: nextCommands(data),
  };
}

/** An upgrade that was being taken back is told by its statement: how many nodes are back is known there. */
const whatEnded = ({ operation, deployment }: OperationStatus): string =>
  `The ${operation === 'fallback' ? 'fallback' : 'upgrade'} of ${deployment}`;

const byWayOf = ({ via }: OperationStatus): string => (via ? ` by way of ${via.join(' and ')}` : '');

const ended = (phase: string): string | undefined =>
  phase === 'completed' || phase === 'stopped' || phase === 'aborted' ? phase : undefined;

/** The release that the nodes run now where all agree; else the target as it was asked for. */
export function reached({ releases, status }: ReportData): string {
  const [after, ...others] = [...new Set(releases.map((r) => r.after))];
  return after !== undefined && others.length === 0 && parseRelease(after) ? after : status.to;
}

const none = (n: number): string => (n === 0 ? 'none' : count(n));

function withClients(sentence: string, totals: Totals, soFar = ''): string {
  if (totals.operations === undefined || totals.failed === undefined)
    return `${sentence}. The probe was off: nothing is known of clients.`;
  const parts = [sentence, `${soFar}${countOf(totals.operations, 'client operation')}, ${none(totals.failed)} failed`];
  parts.push(totals.writeGap ? `longest write gap ${latency(totals.writeGap.ms)}` : 'no writes were probed');
  if (totals.acknowledged !== undefined && totals.lost !== undefined)
    parts.push(`${countOf(totals.acknowledged, 'acknowledged write')}, ${none(totals.lost)} lost`);
  else if (soFar !== '') parts.push('lost writes are looked for at the end');
  else parts.push('the ledger has not been read back, so nothing is known of lost writes');
  return `${parts.join('; ')}.`;
}

function proofOf(data: ReportData, totals: Totals): string {
  const parts: string[] = [];
  if (totals.keys !== undefined && totals.different !== undefined)
    parts.push(
      `${countOf(totals.keys, 'key')} compared between primaries and replicas, ${none(totals.different)} different`,
    );
  const resyncs = totals.partial + totals.full;
  if (resyncs > 0) {
    const meant = totals.full > 0 && unmeantFull(data).length === 0 ? ', as an older release begins anew' : '';
    parts.push(`${countOf(resyncs, 'resync')}, ${totals.full === 0 ? 'all partial' : `${totals.full} full${meant}`}`);
  }
  return parts.length === 0 ? '' : `${parts.join('; ')}.`;
}

/** It went back as it was asked to: good where nothing was lost, and no success of the upgrade. */
function wentBack(
  { status, incidents = [] }: ReportData,
  totals: Totals,
  common: Pick<ReportVerdict, 'proof' | 'findings'>,
): ReportVerdict {
  const bad = (totals.lost ?? 0) > 0 || (totals.different ?? 0) > 0;
  const incident = incidents.at(-1);
  const why = incident ? `, asked for by ${incident.by}: ${incident.reason.replace(/\.$/, '')}` : '';
  const way = incident ? `from ${incident.from} back to ${incident.to}` : `back to ${status.to}`;
  // Of an upgrade that was taken back, the time until then is none of the way back's.
  const took = incident?.endedAt ? Date.parse(incident.endedAt) - Date.parse(incident.at) : totals.elapsedMs;
  return {
    ...common,
    tone: bad ? 'bad' : 'caution',
    label: bad ? 'Fell back, but the data is not right' : 'Fell back',
    sentence: withClients(`${status.deployment} went ${way} in ${formatDuration(took)}${why}`, totals),
    statement: status.statement,
    next: [],
  };
}

/** Full resyncs, but for those of whoever goes back to an older release: it comes with nothing, and is given everything. */
export function unmeantFull({ incidents, resyncs }: ReportData): ReportData['resyncs'] {
  const back = new Set(incidents?.map(({ to }) => to));
  return resyncs.filter((r) => r.kind === 'full' && !(r.release !== undefined && back.has(r.release)));
}

function findingsOf(data: ReportData, totals: Totals): string[] {
  const found: string[] = [];
  const { status } = data;
  const over = (status.result ?? ended(status.phase)) !== undefined;
  if (totals.lost)
    found.push(
      `${countOf(totals.lost, 'acknowledged write was', 'acknowledged writes were')} lost: see the ledger. ${failures.Lost.next}`,
    );
  const { givenUp = 0 } = data.probe?.ledger ?? {};
  if (givenUp > 0)
    found.push(
      `${countOf(givenUp, 'acknowledged write')} of the probe ${givenUp === 1 ? 'was' : 'were'} given up by the restore, as was approved.`,
    );
  for (const { shard, lossWindow, keptAside } of data.restores ?? [])
    found.push(
      `${shard} was restored from its backup: lost is ${lossText(lossWindow)}; kept aside at ${keptAside.at}.`,
    );
  if (totals.different)
    found.push(
      `${countOf(totals.different, 'key differs', 'keys differ')} between primary and replica: see the verification.`,
    );
  if (totals.unread > 0)
    found.push(`${countOf(totals.unread, 'acknowledged write was', 'acknowledged writes were')} not read back.`);
  if (totals.failed) {
    const kinds = totals.failures.map(([kind, n]) => `${count(n)} ${kind}`).join(', ');
    found.push(`${countOf(totals.failed, 'client operation')} failed${kinds === '' ? '' : `: ${kinds}`}.`);
  }
  const full = unmeantFull(data);
  if (full.length > 0) {
    const nodes = full.map((r) => r.node);
    found.push(`${countOf(full.length, 'full resync')}, where a partial one was meant: ${listOf(nodes)}.`);
  }
  if (totals.changed > 0) {
    const names = [...new Set(data.configuration.filter((c) => c.kind === 'changed').map((c) => c.directive))];
    found.push(`Configuration changed that no version explains: ${listOf(names)}.`);
  }
  for (const { gate, before, overriddenBy } of status.gates)
    if (overriddenBy) found.push(`${overriddenBy.by} overrode gate ${gate} (${before}): “${overriddenBy.reason}”`);
  if (
    status.result === 'completed' &&
    status.operation !== 'fallback' &&
    status.progress.upgraded < status.progress.nodes
  )
    found.push(`Only ${status.progress.upgraded} of ${countOf(status.progress.nodes, 'node')} are upgraded.`);
  for (const { from, until, reason } of data.probe?.interruptions ?? [])
    found.push(`For ${formatDuration(until - from)} no probe ran (${reason}): what clients saw then is not known.`);
  const partly = data.verify.filter((v) => v.complete === false);
  for (const { shard, replica, statement } of partly.slice(0, 5))
    found.push(`${replica} of ${shard} was not compared whole: ${statement ?? 'no reason was given'}.`);
  if (partly.length > 5) found.push(`${partly.length - 5} more replicas were not compared whole.`);
  if (over && totals.keys === undefined) found.push('Primaries and replicas were not compared.');
  return found;
}

function listOf(names: readonly string[]): string {
  return names.length <= 5 ? names.join(', ') : `${names.slice(0, 5).join(', ')} and ${names.length - 5} more`;
}

/** The statement's last line is the command that goes on, which the report sets apart. */
function withoutCommand(statement: string): string {
  return statement
    .split('\n')
    .filter((line) => !/^(To go on where it stands|Or, to go on with the upgrade):/.test(line))
    .join('\n');
}

export function nextCommands({ status, next }: ReportData): ReportVerdict['next'] {
  const waiting = status.waiting.map(({ reason, clears, command }) => ({
    why: `${reason}; clears when ${clears}`,
    command,
  }));
  if (waiting.length > 0) return waiting;
  if (next !== undefined) return [{ why: 'To go on', command: next }];
  if ((status.result ?? ended(status.phase)) === undefined) return [];
  return goOn(status);
}
