import type { ReportData } from '../report.js';
import { configurationSection, versionsSection } from './before-and-after.js';
import { clientCharts, gapSentence, latencyAxis, type LatencyAxis } from './client-charts.js';
import { html, type Content, type Markup } from './html.js';
import { fallbackSection } from './fallback-section.js';
import { nodeLanes, shardLane, shardStaircase } from './node-lanes.js';
import { contentsOf, pageOf } from './page.js';
import { approvalsSection, auditSection, gatesSection, section } from './people-and-gates.js';
import { axis } from './plot.js';
import { proofSection } from './proof.js';
import { count, latency } from './quantities.js';
import { renderRestore } from './render-restore.js';
import { reportVerdict } from './report-verdict.js';
import { backupsSection, resyncsSection } from './resyncs-and-backups.js';
import { retriesSection } from './retries.js';
import { scaleFor, shardViews, worstFirst, type ShardView } from './shard-view.js';
import { spansOf } from './spans.js';
import { keyFigures, verdictSection } from './summary.js';
import { sign, table } from './table.js';
import { thinSeconds } from './thin-seconds.js';
import { legend, operationLane } from './timeline-parts.js';
import { place, type TimeScale } from './time-scale.js';
import { totalsOf } from './totals.js';
import { phasesSection, validationSection } from './validation-section.js';

/** Up to so many shards lie open, on one time axis; more are folded, each on an axis of its own work. */
const fewShards = 6;

/**
 * The whole report as one HTML file that loads nothing: verdict, figures, timeline, charts, tables, and the data itself
 * for machines (`script#report-data`; there the probe's seconds are thinned as in the charts, `report.json` has them
 * all). It can be read without JavaScript, and printed. Of a running operation it renews itself every 5 s.
 */
export function renderPage(data: ReportData): Markup {
  const { status } = data;
  if (status.operation === 'restore') return renderRestore(data);
  const [from, to] = extentOf(data);
  const spans = spansOf(data.timeline, to);
  const whole = scaleFor(spans, from, to);
  const columns = columnsFor(status.shards.length);
  const few = status.shards.length <= fewShards;

  const unthinned = shardViews(data, spans, from, to);
  const scales = new Map(unthinned.map((view) => [view.shard, few ? whole : scaleFor(view.spans, from, to)]));
  const thinned = thinProbe(data, columns, (shard) => scales.get(shard) ?? whole);
  const views = shardViews(thinned, spans, from, to);

  const totals = totalsOf(data);
  const verdict = reportVerdict(data);
  const running =
    status.result === undefined && !['completed', 'stopped', 'aborted', 'fell back'].includes(status.phase);
  const moves = data.cutovers?.length ? 'handover, or a cutover to a standby' : 'handover';
  const axisOfLatency = latencyAxis(data.probe?.series ?? []);
  const usual = (totals.resolutionMs ?? 0) * 1.5;
  const charts: Content = few
    ? views.map((view) => openShard(view, whole, axisOfLatency, usual))
    : worstFirst(views).map(
        (view, i) => () => foldedShard(view, scales.get(view.shard) ?? whole, axisOfLatency, usual, i === 0),
      );

  return pageOf({
    title: `${status.deployment}: ${verdict.label}`,
    head: [status.deployment, status.operation],
    running,
    main: html`
      ${verdictSection(data, verdict)} ${keyFigures(data, totals, spans)} ${contents}
      ${section('timeline', 'Timeline', [
        legend(moves),
        html`<div class="chart" data-scale="${scaleData(whole)}">
          ${axis(whole)}${operationLane(spans, whole)}${
            few
              ? views.map(
                  (view) => html`<div class="shard-group">${shardLane(view, whole)}${nodeLanes(view, whole)}</div>`,
                )
              : shardStaircase(views, whole)
          }
        </div>`,
      ])}
      ${section('clients', 'What clients saw', [
        views.every((view) => view.series.length === 0)
          ? html`<p class="empty">The probe was off: nothing is known of clients.</p>`
          : html`<p>
                Per second, on a logarithmic scale, the same for all: the band reaches to the slowest operation, the
                dashed line is the 99th percentile, the solid line the median. Behind them stand the steps of the shard;
                a node is down where the band is darker, and a vertical line is a ${moves}.
              </p>
              ${(data.probe?.notes ?? []).map((note) => html`<p>${note}</p>`)} ${shardTable(views)}`,
        charts,
      ])}
      ${phasesSection(data)} ${validationSection(data)} ${gatesSection(data)} ${approvalsSection(data)}
      ${versionsSection(data)} ${configurationSection(data)} ${proofSection(data)} ${fallbackSection(data)}
      ${resyncsSection(data)} ${backupsSection(data)} ${retriesSection(data)} ${auditSection(data)}
    `,
    footer: html`All times are UTC. Latencies count from the moment an operation was due, so that a stall can’t hide.
      What a figure means and how it was measured: <code>docs/understanding-the-report.md</code>. The data of this page
      is in its <code>script#report-data</code>; all of it, with <code>report.json</code>, in
      <code>${status.artefacts}</code>.`,
    data: () => ({ ...thinned, thinnedTo: columns }),
  });
}

/** The page as one string. */
export const renderReport = (data: ReportData): string => renderPage(data).text;

const contents = contentsOf([
  ['timeline', 'Timeline'],
  ['clients', 'Clients'],
  ['phases', 'Phases'],
  ['validation', 'Before and after'],
  ['gates', 'Gates'],
  ['approvals', 'Approvals'],
  ['versions', 'Versions'],
  ['configuration', 'Configuration'],
  ['proof', 'Ledger and verification'],
  ['fallback', 'Fallback'],
  ['resyncs', 'Resyncs'],
  ['backups', 'Backups'],
  ['retries', 'Retries'],
  ['audit', 'Audit'],
]);

/** From the first to the last time that anything is known of, Unix ms. */
function extentOf({ status, generatedAt, probe }: ReportData): [number, number] {
  const known = (...instants: (string | undefined)[]): number[] =>
    instants.map((instant) => Date.parse(instant ?? '')).filter((ms) => !Number.isNaN(ms));
  const from = Math.min(...known(status.startedAt, probe?.startedAt));
  return [from, Math.max(...known(status.endedAt ?? generatedAt, probe?.endedAt))];
}

/** Points a chart may have, so that 300 shards stay a page that a browser opens. */
const columnsFor = (shards: number): number => (shards <= fewShards ? 480 : shards <= 50 ? 240 : 120);

function thinProbe(data: ReportData, columns: number, scaleOf: (shard: string) => TimeScale): ReportData {
  if (!data.probe) return data;
  const series = data.probe.series.map((one) => {
    const scale = scaleOf(one.shard);
    return { ...one, seconds: thinSeconds(one.seconds, columns, (t) => place(scale, t * 1000)) };
  });
  return { ...data, probe: { ...data.probe, series } };
}

const scaleData = (scale: TimeScale): string =>
  JSON.stringify(scale.knots.map(({ at, x }) => [at, Math.round(x * 1e6) / 1e6]));

/** A shard's name as part of an id. */
const anchorOf = (shard: string): string => `shard-${encodeURIComponent(shard)}`;

function openShard(view: ShardView, scale: TimeScale, axisOfLatency: LatencyAxis, usual: number): Markup {
  return html`<div class="chart shard-charts" id="${anchorOf(view.shard)}" data-scale="${scaleData(scale)}">
    ${axis(scale)}${shardLane(view, scale)}${clientCharts(view, scale, axisOfLatency, usual)}
  </div>`;
}

function foldedShard(
  view: ShardView,
  scale: TimeScale,
  axisOfLatency: LatencyAxis,
  usual: number,
  open: boolean,
): Markup {
  const gap = view.writeGap ?? view.readGap;
  return html`<details class="shard-details" id="${anchorOf(view.shard)}" ${open && 'open'}>
    <summary>
      <strong>${view.shard}</strong> <span class="muted">${view.state}</span>
      ${view.failed > 0 && html`<span class="bad-text">${count(view.failed)} failed</span>`}
      ${gap && html`<span class="muted">${gapSentence(gap, view)}</span>`}
    </summary>
    <div class="chart" data-scale="${scaleData(scale)}">
      ${axis(scale)}${shardLane(view, scale)}${nodeLanes(view, scale)}${clientCharts(view, scale, axisOfLatency, usual)}
    </div>
  </details>`;
}

/** All shards in one table, worst first. */
function shardTable(views: readonly ShardView[]): Content {
  const sorted = worstFirst(views);
  if (sorted.length <= 24)
    return tableOf(sorted, 'Each shard, worst first: failed operations, then the longest write gap');
  return [
    tableOf(
      sorted.slice(0, 10),
      `The ten worst of ${sorted.length} shards: failed operations, then the longest write gap`,
    ),
    tableOf(sorted, 'Every shard'),
  ];
}

function tableOf(views: readonly ShardView[], caption: string): Markup {
  return table({
    caption,
    empty: 'No shard is known yet.',
    sortable: true,
    columns: [
      { head: 'Shard' },
      { head: 'State' },
      { head: 'Operations', numeric: true },
      { head: 'Failed', numeric: true },
      { head: 'Longest write gap', numeric: true },
      { head: 'Longest read gap', numeric: true },
      { head: 'Write p99', numeric: true },
      { head: 'Read p99', numeric: true },
      { head: 'Resyncs' },
    ],
    rows: views.map((view) => {
      const p99 = (operation: string) => {
        const all = view.series.filter((s) => s.operation === operation).map((s) => s.latency.p99);
        return all.length === 0 ? '' : { content: latency(Math.max(...all)), sort: Math.max(...all) };
      };
      const gap = (worst: ShardView['writeGap']) => worst && { content: latency(worst.ms), sort: worst.ms };
      return [
        html`<a href="#${anchorOf(view.shard)}">${view.shard}</a>`,
        view.state,
        { content: count(view.operations), sort: view.operations },
        { content: view.failed === 0 ? '0' : sign('bad', count(view.failed)), sort: view.failed },
        gap(view.writeGap),
        gap(view.readGap),
        p99('write'),
        p99('read'),
        view.partial + view.full === 0
          ? 'none'
          : `${view.partial} partial${view.full > 0 ? `, ${view.full} full` : ''}`,
      ];
    }),
  });
}
