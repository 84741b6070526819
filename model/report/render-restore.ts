import { forecastText, lackingOf, progressText, type ComparedShard, type RestoredShard } from '../backup-restore.js';
import { formatDuration, formatSize } from '../duration.js';
import type { ReportData } from '../report.js';
import { figuresSection, unknownFigure, type Figure } from './figures.js';
import { html, type Content, type Markup } from './html.js';
import { contentsOf, pageOf } from './page.js';
import { approvalsSection, auditSection, section } from './people-and-gates.js';
import { axis, bars, ground, plot, row } from './plot.js';
import { count, moment } from './quantities.js';
import { comparedOf, restoreVerdict } from './restore-verdict.js';
import { retriesSection } from './retries.js';
import { spansOf, type Span } from './spans.js';
import { verdictSection } from './summary.js';
import { sign, table, type Cell } from './table.js';
import { timeScale } from './time-scale.js';
import { legend, operationLane } from './timeline-parts.js';

/** The restore of a backup as one HTML file that loads nothing. Of one that runs it renews itself every 5 s. */
export function renderRestore(data: ReportData): Markup {
  const { status } = data;
  const verdict = restoreVerdict(data);
  return pageOf({
    title: `${status.deployment}, restore: ${verdict.label}`,
    head: [status.deployment, status.operation],
    running: status.result === undefined,
    main: html`${verdictSection(data, verdict)} ${figuresSection(figuresOf(data))} ${contents} ${timelineSection(data)}
    ${shardsSection(data)} ${foreseenSection(data)} ${approvalsSection(data)} ${retriesSection(data)}
    ${auditSection(data)}`,
    footer: html`All times are UTC. What a restore does and compares: <code>docs/restore.md</code>. The data of this
      page is in its <code>script#report-data</code>.`,
    data: () => data,
  });
}

const contents = contentsOf([
  ['timeline', 'Timeline'],
  ['shards', 'Shards'],
  ['foreseen', 'What was foreseen'],
  ['approvals', 'Approvals'],
  ['retries', 'Retries'],
  ['audit', 'Audit'],
]);

const sum = <T>(all: readonly T[], of: (it: T) => number): number => all.reduce((total, it) => total + of(it), 0);

function figuresOf({ status, generatedAt }: ReportData): Figure[] {
  const { restore, restoring, startedAt, endedAt } = status;
  const result = restore?.result;
  const time: Figure = {
    name: 'Time',
    value: formatDuration(Date.parse(endedAt ?? generatedAt) - Date.parse(startedAt)),
    note: status.result === undefined ? 'until now, waits included' : 'from start to end, waits included',
  };
  if (!result)
    return [
      time,
      restoring
        ? {
            name: 'Progress',
            value: `${count(restoring.done)} of ${count(restoring.keys)}`,
            note: progressText(restoring),
          }
        : unknownFigure('Progress', 'nothing was read'),
    ];
  const { restored, compared, written, removed } = result;
  const { same, different, missing } = comparedOf(compared);
  const [kept, expired, refused] = [
    sum(restored, (it) => it.kept),
    sum(restored, (it) => it.expired),
    sum(restored, (it) => it.refused),
  ];
  const theirs = result.liveWriters ? 'others wrote meanwhile' : 'nobody else wrote meanwhile';
  return [
    time,
    {
      name: 'Keys written',
      value: count(written.keys),
      note: `in ${formatDuration(written.tookMs)}, ${count(written.keysPerSecond)} a second`,
    },
    { name: 'Kept', value: count(kept), note: 'were there already, and stay as they were' },
    ...(removed
      ? [{ name: 'Removed', value: count(sum(removed, (it) => it.removed)), note: 'were not in the backup' }]
      : []),
    { name: 'Expired', value: count(expired), note: 'since the backup: left out' },
    {
      name: 'Not representable',
      value: count(refused),
      note: refused === 0 ? 'the target can hold all of it' : 'the target can’t hold them',
      ...(refused > 0 ? { tone: 'bad' } : {}),
    },
    { name: 'Compared, the same', value: count(same), note: 'value and expiry', tone: 'good' },
    {
      name: 'Different or missing',
      value: count(different + missing),
      note: `${count(different)} other than in the backup, ${count(missing)} not there; ${theirs}`,
      ...(different + missing > 0 && !result.liveWriters && kept === 0 ? { tone: 'bad' } : {}),
    },
  ];
}

function timelineSection(data: ReportData): Markup {
  const { status, timeline, generatedAt } = data;
  const [from, to] = [Date.parse(status.startedAt), Date.parse(status.endedAt ?? generatedAt)];
  const spans = spansOf(timeline, to);
  const work = spans.filter(({ entry }) => entry.kind === 'step').map((it) => ({ from: it.from, to: it.to }));
  const scale = timeScale(from, to, work);
  const shards = [...new Set(spans.flatMap(({ entry }) => entry.shard ?? []))].sort((a, b) =>
    a.localeCompare(b, 'en', { numeric: true }),
  );
  const lane = (shard: string): Markup => {
    const own = spans.filter((it: Span) => it.entry.shard === shard && it.to > it.from);
    const label = `${shard}: ${own.map(({ entry }) => entry.text).join(', ')}`;
    return row(
      shard,
      plot({ height: 24, label, className: 'lane' }, [
        ground(scale),
        bars(scale, own, { y: 3, height: 18, named: true }),
      ]),
      'shard-lane',
    );
  };
  return section('timeline', 'Timeline', [
    legend(),
    html`<div class="chart">${axis(scale)}${operationLane(spans, scale)}${shards.map(lane)}</div>`,
  ]);
}

function shardsSection({ status }: ReportData): Markup {
  const { restoring, restore } = status;
  const { restored = [], compared = [] } = restore?.result ?? {};
  const number = (value: number | undefined): Cell =>
    value === undefined ? '' : { content: count(value), sort: value };
  const rows = (restoring?.shards ?? []).map(({ shard, keys, done }): Cell[] => {
    const it: Partial<RestoredShard> = restored.find((one) => one.shard === shard) ?? {};
    const as: Partial<ComparedShard> = compared.find((one) => one.shard === shard) ?? {};
    const { bytes, tookMs } = it;
    const wrong = as.different === undefined ? undefined : as.different + (as.missing ?? 0);
    return [
      shard,
      number(it.selected ?? keys),
      ...[number(it.written ?? done), number(it.kept), number(it.expired), number(it.refused)],
      bytes === undefined ? '' : { content: formatSize(bytes), sort: bytes },
      tookMs === undefined ? '' : { content: formatDuration(tookMs), sort: tookMs },
      number(as.same),
      wrong === undefined ? '' : { content: wrong === 0 ? '0' : sign('caution', count(wrong)), sort: wrong },
      (as.examples ?? []).slice(0, 3).map((example) => html`<span class="code">${example}</span><br />`),
    ];
  });
  return section('shards', 'Shards', [
    table({
      caption: 'Each shard of the backup: what was written, and what a comparison found there afterwards',
      empty: 'Nothing was read.',
      sortable: true,
      columns: [
        { head: 'Shard' },
        ...['Keys', 'Written', 'Kept', 'Expired', 'Refused', 'Bytes', 'Took', 'Same', 'Different'].map((head) => ({
          ...{ head, numeric: true },
        })),
        { head: 'Examples' },
      ],
      rows,
    }),
    restore?.of.point &&
      table({
        caption: `Where each shard was brought back to: ${restore.of.point.asked}`,
        empty: '',
        columns: [{ head: 'Shard' }, { head: 'Offset', numeric: true }, { head: 'The last of it had arrived' }],
        rows: restore.of.point.shards.map(({ shard, offset, at }) => [shard, count(offset), moment(at)]),
      }),
  ]);
}

function foreseenSection({ status: { restore } }: ReportData): Markup {
  const forecast = restore?.forecast;
  if (!forecast)
    return section('foreseen', 'What was foreseen', html`<p class="empty">The backup was not read to its end.</p>`);
  const lacking = Object.entries(lackingOf(forecast.shards));
  return section('foreseen', 'What was foreseen', [
    html`<ul class="findings">
      ${forecastText(forecast).map((line): Content => html`<li>${line}</li>`)}
    </ul>`,
    lacking.length > 0 &&
      table({
        caption: 'What the target can’t hold',
        empty: '',
        columns: [{ head: 'What' }, { head: 'Keys', numeric: true }, { head: 'Examples', code: true }],
        rows: lacking.map(([what, { count: keys, examples }]) => [what, count(keys), examples.join(', ')]),
      }),
    table({
      caption: 'The primaries that were written to, as they were before',
      empty: 'None.',
      columns: [
        { head: 'Shard' },
        { head: 'Primary', code: true },
        { head: 'Release' },
        { head: 'Keys', numeric: true },
        { head: 'Memory', numeric: true },
        { head: 'maxmemory', numeric: true },
      ],
      rows: forecast.targets.map((it) => [
        ...[it.shard, it.address, it.release, count(it.keys), formatSize(it.usedMemoryBytes)],
        it.maxMemoryBytes === 0 ? 'none' : formatSize(it.maxMemoryBytes),
      ]),
    }),
  ]);
}
