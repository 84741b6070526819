import { formatDuration, formatSize } from '../duration.js';
import type { StandbyComparison } from '../follow-state.js';
import type { ReportData } from '../report.js';
import { html, type Markup } from './html.js';
import { section, when } from './people-and-gates.js';
import { count, latency } from './quantities.js';
import { sign, table, type Cell, type Sign } from './table.js';

const classSign: Record<string, Sign> = { lossless: 'good', 'lossless-except': 'caution', 'restore-only': 'bad' };

/** What it could be, or was, taken back with: the class, the followers' figures, and each fallback with what it cost. */
export function fallbackSection({
  status,
  incidents = [],
  cutovers = [],
  restores = [],
  followers = [],
}: ReportData): Markup {
  const { fallback } = status;
  return section('fallback', 'Fallback', [
    fallback
      ? html`<p>
          ${sign(classSign[fallback.class] ?? 'caution', fallback.class)} since ${when(fallback.since)}:
          ${fallback.reason}.
        </p>`
      : html`<p class="empty">What it could be taken back with was not decided.</p>`,
    table({
      caption: 'What asked for each fallback, when, and what it came to',
      empty: 'Nothing was taken back.',
      columns: [
        { head: 'Asked for' },
        { head: 'By' },
        { head: 'Why' },
        { head: 'From and to' },
        { head: 'Class' },
        { head: 'Shards' },
      ],
      rows: incidents.map(({ at, endedAt, by, reason, gate, from, to, class: its, shards }) => [
        [
          when(at),
          endedAt !== undefined &&
            html`<br /><span class="muted">took ${formatDuration(Date.parse(endedAt) - Date.parse(at))}</span>`,
        ],
        [by, gate !== undefined && html`<br /><span class="muted">gate ${gate}</span>`],
        reason,
        `${from} → ${to}`,
        sign(classSign[its] ?? 'caution', its),
        shards.map(
          ({ shard, way, ms, nodes }) =>
            html`${shard}${way === undefined ? '' : `, ${way}`}: ${nodes} nodes in ${formatDuration(ms)}<br />`,
        ),
      ]),
    }),
    table({
      caption: 'Each cutover to a standby, and for how long writes were held',
      empty: 'No standby took a shard over.',
      sortable: true,
      columns: [
        { head: 'When' },
        { head: 'Shard' },
        { head: 'From', code: true },
        { head: 'To', code: true },
        { head: 'Writes held', numeric: true },
        { head: 'Drained in', numeric: true },
      ],
      rows: cutovers.map(({ at, shard, from, to, gapMs, drainedMs, already }) => [
        { content: when(at), sort: Date.parse(at) },
        shard,
        from,
        to,
        already ? html`<span class="muted">an earlier attempt</span>` : { content: latency(gapMs), sort: gapMs },
        { content: latency(drainedMs), sort: drainedMs },
      ]),
    }),
    table({
      caption: 'Each shard that was restored from its backup, and the writes that were given up for it',
      empty: 'Nothing was restored.',
      columns: [
        { head: 'Shard' },
        { head: 'At', code: true },
        { head: 'Backup' },
        { head: 'Given up' },
        { head: 'Kept aside', code: true },
        { head: 'Compared' },
        { head: 'Away', numeric: true },
      ],
      rows: restores.map(({ shard, node, backup, lossWindow: lost, keptAside, verified, awayMs }) => [
        shard,
        node,
        html`${when(backup.at)}, of ${backup.node}: ${count(backup.keys)} keys, ${formatSize(backup.bytes)}`,
        html`${when(lost.from)} to ${when(lost.until)}: ${formatDuration(lost.ms)},
        ${lost.streamBytes === undefined ? 'bytes not known' : formatSize(lost.streamBytes)}`,
        keptAside.at,
        html`${count(verified.compared)} keys, ${count(verified.different)} different, ${count(verified.expired)}
        expired since`,
        formatDuration(awayMs),
      ]),
    }),
    table({
      caption: 'What each shard’s follower gave to its standby',
      empty: 'Nothing was followed.',
      sortable: true,
      columns: [
        { head: 'Shard' },
        { head: 'Standby', code: true },
        { head: 'Commands', numeric: true },
        { head: 'Rewritten', numeric: true },
        { head: 'Copied again', numeric: true },
        { head: 'Behind at the end', numeric: true },
        { head: 'At most', numeric: true },
        { head: 'Can’t be held' },
      ],
      rows: followers.map((it) => [
        it.shard,
        it.standby,
        { content: count(it.commands), sort: it.commands },
        { content: count(it.rewritten), sort: it.rewritten },
        { content: count(it.recopied), sort: it.recopied },
        { content: formatSize(it.lagBytes), sort: it.lagBytes },
        { content: latency(it.lagMsMax), sort: it.lagMsMax },
        it.notRepresentable.length === 0
          ? html`<span class="muted">nothing</span>`
          : it.notRepresentable.map(
              ({ what, count: n, examples }) => html`${what}: ${count(n)} (${examples.slice(0, 3).join(', ')})<br />`,
            ),
      ]),
    }),
    table({
      caption: 'What comparing each standby with its primary came to, key by key, while it was followed to',
      empty: 'No standby was compared.',
      sortable: true,
      columns: [
        { head: 'Shard' },
        { head: 'Standby', code: true },
        { head: 'Whole passes', numeric: true },
        { head: 'The last' },
        { head: 'Keys of the one under way', numeric: true },
        { head: 'Differed', numeric: true },
        { head: 'Put right', numeric: true },
        { head: 'Differ still', numeric: true },
        { head: 'Not compared' },
      ],
      rows: followers.flatMap(({ shard, standby, comparison: it }) =>
        it ? [[shard, standby, ...comparisonCells(it)]] : [],
      ),
    }),
  ]);
}

function comparisonCells(it: StandbyComparison): Cell[] {
  const { lastPass, examples, notCompared, waitsFor } = it;
  const named = examples.map(
    ({ key, what, repaired }) =>
      html`<br /><span class="muted">${key}: ${what}${repaired ? ' (put right)' : ''}</span>`,
  );
  return [
    { content: count(it.passes), sort: it.passes },
    lastPass
      ? {
          content: html`${when(new Date(lastPass.at).toISOString())}<br /><span class="muted"
              >${count(lastPass.keys)} keys in ${formatDuration(lastPass.ms)}</span
            >`,
          sort: lastPass.at,
        }
      : html`<span class="muted">none</span>`,
    {
      content: [
        `${count(it.keys)} of ${count(Math.max(it.keys, it.expectedKeys))}`,
        waitsFor !== undefined && html`<br />${waitsFor}`,
      ],
      sort: it.keys,
    },
    { content: [count(it.found), ...named], sort: it.found },
    { content: count(it.repaired), sort: it.repaired },
    { content: it.different === 0 ? '0' : sign('bad', count(it.different)), sort: it.different },
    notCompared.length === 0
      ? html`<span class="muted">nothing</span>`
      : notCompared.map(
          ({ what, count: n, examples: some }) => html`${what}: ${count(n)} (${some.slice(0, 3).join(', ')})<br />`,
        ),
  ];
}
