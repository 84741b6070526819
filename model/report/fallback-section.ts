import { formatDuration, formatSize } from '../duration.js';
import type { FollowState, StandbyComparison } from '../follow-state.js';
import type { ReportData } from '../report.js';
import { html, type Markup } from './html.js';
import { section, when } from './people-and-gates.js';
import { count, latency } from './quantities.js';
import { sign, table, type Cell, type Sign } from './table.js';

const classSign: Record<string, Sign> = { lossless: 'good', 'lossless-except': 'caution', 'restore-only': 'bad' };

/** What it could be, or was, taken back with: the class, the followers' figures, and each fallback with what it cost. */
export function fallbackSection(data: ReportData): Markup {
  const { incidents = [], cutovers = [], restores = [], followers = [] } = data;
  const served = (it: FollowState): boolean =>
    cutovers.some(({ shard, to }) => shard === it.shard && to === it.standby);
  return section('fallback', 'Fallback', [
    standing(data),
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
        byName(shards).map(
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
    restores.length > 0 &&
      table({
        caption: 'Each shard that was restored from its backup, and the writes that were given up for it',
        empty: '',
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
        // What it wrote down last was before the cutover, for which it was brought to the end.
        served(it)
          ? { content: html`<span class="muted">nothing, at its cutover</span>`, sort: 0 }
          : { content: formatSize(it.lagBytes), sort: it.lagBytes },
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
        { head: 'Keys of the next', numeric: true },
        { head: 'Differed', numeric: true },
        { head: 'Put right', numeric: true },
        { head: 'Differ still', numeric: true },
        { head: 'Not compared' },
      ],
      rows: followers.flatMap((it) =>
        it.comparison ? [[it.shard, it.standby, ...comparisonCells(it.comparison, served(it))]] : [],
      ),
    }),
  ]);
}

/** What going back would lose now; or, where it went back, what was known of that until then. */
function standing({ status: { fallback, result, operation }, incidents = [] }: ReportData): Markup {
  if (!fallback) return html`<p class="empty">What it could be taken back with was not decided.</p>`;
  const its = sign(classSign[fallback.class] ?? 'caution', fallback.class);
  const [incident] = incidents.slice(-1);
  const isBack = result === 'fell back' || (result === 'completed' && operation === 'fallback');
  if (!isBack || !incident) return html`<p>${its} since ${when(fallback.since)}: ${fallback.reason}.</p>`;
  return html`<p>${its} when it was taken back at ${when(incident.at)}, and since ${when(fallback.since)}.</p>`;
}

const byName = <T extends { shard: string }>(shards: readonly T[]): T[] =>
  [...shards].sort((a, b) => a.shard.localeCompare(b.shard, 'en', { numeric: true }));

/** @param ended its standby has served, so that nothing is compared any more, and nothing waits for it */
function comparisonCells(it: StandbyComparison, ended: boolean): Cell[] {
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
    { content: `${count(it.keys)} of ${count(Math.max(it.keys, it.expectedKeys))}`, sort: it.keys },
    { content: [count(it.found), ...named], sort: it.found },
    { content: count(it.repaired), sort: it.repaired },
    { content: it.different === 0 ? '0' : sign('bad', count(it.different)), sort: it.different },
    [
      notCompared.length === 0
        ? html`<span class="muted">nothing</span>`
        : notCompared.map(
            ({ what, count: n, examples: some }) => html`${what}: ${count(n)} (${some.slice(0, 3).join(', ')})<br />`,
          ),
      waitsFor !== undefined && !ended && html`<br /><span class="muted">now: ${waitsFor}</span>`,
    ],
  ];
}
