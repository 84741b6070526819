import { formatDuration, formatSize } from '../duration.js';
import type { ReportData } from '../report.js';
import { causeAmong, isProbesOwn, nameEntry } from './cause-of.js';
import { figuresSection, unknownFigure, type Figure } from './figures.js';
import { html, type Content, type Markup } from './html.js';
import { clock, count, countOf, fromTo, latency, moment } from './quantities.js';
import { reached, unmeantFull, type ReportVerdict } from './report-verdict.js';
import type { Span } from './spans.js';
import type { Totals, WorstGap } from './totals.js';

/** The first thing that is seen: how it went, in one sentence, and what goes on. @param provenance whose report it is */
export function verdictBlock(verdict: ReportVerdict, provenance: Content): Markup {
  return html`<section class="verdict ${verdict.tone}" aria-labelledby="verdict">
    <p class="verdict-label">${verdict.label}</p>
    <h1 id="verdict">${verdict.sentence}</h1>
    ${verdict.proof !== '' && html`<p class="proof">${verdict.proof}</p>`}
    ${verdict.statement !== undefined && html`<p class="statement">${verdict.statement}</p>`}
    ${
      verdict.findings.length > 0 &&
      html`<ul class="findings">
        ${verdict.findings.map((finding) => html`<li>${finding}</li>`)}
      </ul>`
    }
    ${
      verdict.next.length > 0 &&
      html`<dl class="next">
        ${verdict.next.slice(0, 10).map(
          ({ why, command }) =>
            html`<dt>${why}</dt>
              <dd><code>${command}</code></dd>`,
        )}
      </dl>`
    }
    <p class="provenance">${provenance}</p>
  </section> `;
}

export const verdictSection = ({ status, generatedAt }: ReportData, verdict: ReportVerdict): Markup =>
  verdictBlock(
    verdict,
    html`Started by ${status.startedBy},
      ${moment(status.startedAt)}${status.endedAt !== undefined && html`; ended ${moment(status.endedAt)}`}. Workflow
      <code>${status.workflowId}</code>. Report of
      ${moment(generatedAt)}${status.result === undefined && ', renewed every 5 s'}.`,
  );

/** `55 ms`, `38 ms to 108 ms`. */
function rangeOf(ms: readonly number[]): string {
  const [least, most] = [latency(Math.min(...ms)), latency(Math.max(...ms))];
  return least === most ? least : `${least} to ${most}`;
}

/** Of an upgrade that was taken back, how many nodes came back: of one shard, if nobody asked for more. */
function nodesDone(data: ReportData): Figure {
  const { status, incidents = [] } = data;
  const incident = incidents.at(-1);
  const { nodes } = status.progress;
  const back = incident && (status.result === 'fell back' || status.operation === 'fallback');
  const done = back ? incident.shards.reduce((sum, it) => sum + it.nodes, 0) : status.progress.upgraded;
  return {
    name: back ? 'Nodes taken back' : 'Nodes upgraded',
    value: `${done} of ${nodes}`,
    note: back ? fromTo(incident.from, incident.to) : fromTo(status.from, reached(data)),
    ...(!back && status.result !== undefined && done < nodes ? { tone: 'bad' as const } : {}),
  };
}

/** The figures that are asked for first; what was not measured is said so. */
export function keyFigures(data: ReportData, totals: Totals, spans: readonly Span[]): Markup {
  const { status, backups, handovers, cutovers = [] } = data;
  const cause = (gap: WorstGap): Content => {
    const near = spans.filter(({ entry }) => entry.shard === undefined || entry.shard === gap.shard);
    const entry = causeAmong(gap, near);
    return `${gap.shard}, ${clock(gap.at)}${entry ? `, during ${nameEntry(entry)}` : ''}${isProbesOwn(gap, data.probe?.stalls) ? '; the probe’s own process stood still' : ''}`;
  };
  const gap = (name: string, worst: WorstGap | undefined): Figure =>
    worst ? { name, value: latency(worst.ms), note: cause(worst) } : unknownFigure(name, 'the probe was off');
  const pauses = handovers.map((h) => h.ms);
  const measured = cutovers.filter(({ already }) => !already).map(({ gapMs }) => gapMs);
  const figures: Figure[] = [
    {
      name: 'Time',
      value: formatDuration(totals.elapsedMs),
      note: status.result === undefined ? 'until now, waits included' : 'from start to end, waits included',
    },
    nodesDone(data),
    totals.operations === undefined || totals.failed === undefined
      ? unknownFigure('Client operations', 'the probe was off')
      : {
          name: 'Client operations',
          value: count(totals.operations),
          note: totals.failed === 0 ? 'none failed' : `${count(totals.failed)} failed`,
          tone: totals.failed === 0 ? 'good' : 'bad',
        },
    gap('Longest write gap', totals.writeGap),
    gap('Longest read gap', totals.readGap),
    totals.acknowledged === undefined || totals.lost === undefined
      ? unknownFigure('Acknowledged writes', data.probe ? 'the ledger is not read back yet' : 'the probe was off')
      : {
          name: 'Acknowledged writes',
          value: count(totals.acknowledged),
          note: totals.lost === 0 ? 'read back, none lost' : `read back, ${count(totals.lost)} lost`,
          tone: totals.lost === 0 ? 'good' : 'bad',
        },
    totals.keys === undefined || totals.different === undefined
      ? unknownFigure('Keys compared', 'primaries and replicas were not compared')
      : {
          name: 'Keys compared',
          value: count(totals.keys),
          note: `${totals.different === 0 ? 'none' : count(totals.different)} different; expiry times within ${latency(totals.ttlDriftMs)}`,
          tone: totals.different === 0 ? 'good' : 'bad',
        },
    {
      name: 'Resyncs',
      value: count(totals.partial + totals.full),
      note:
        totals.partial + totals.full === 0
          ? 'none yet'
          : `${count(totals.partial)} partial, ${totals.full === 0 ? 'none' : count(totals.full)} full`,
      ...(unmeantFull(data).length > 0 ? { tone: 'bad' as const } : {}),
    },
    {
      name: 'Handovers',
      value: count(handovers.length),
      note: pauses.length === 0 ? 'none yet' : `${rangeOf(pauses)} until the new primary was seen`,
    },
    ...(cutovers.length === 0
      ? []
      : [
          {
            name: 'Cutovers to a standby',
            value: count(cutovers.length),
            note: measured.length === 0 ? 'not measured' : `writes held for ${rangeOf(measured)}`,
          },
        ]),
    {
      name: 'Backups',
      value: count(backups.length),
      note:
        backups.length === 0
          ? 'none recorded'
          : `${formatSize(backups.reduce((sum, b) => sum + b.bytes, 0))}, ${countOf(
              backups.reduce((sum, b) => sum + b.keys, 0),
              'key',
            )}, verified`,
    },
  ];
  return figuresSection(
    figures,
    totals.resolutionMs !== undefined &&
      `The probe sends its operations on a fixed schedule, ${latency(totals.resolutionMs)} apart for each client and shard: a gap up to about that long is no interruption.`,
  );
}
