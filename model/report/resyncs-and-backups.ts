import { formatSize } from '../duration.js';
import type { ReportData } from '../report.js';
import { html, type Markup } from './html.js';
import { section, when } from './people-and-gates.js';
import { count, latency } from './quantities.js';
import { sign, table } from './table.js';

export function resyncsSection({ resyncs, handovers }: ReportData): Markup {
  return section('resyncs', 'Resyncs and handovers', [
    table({
      caption: 'How each restarted node came back into replication',
      empty: 'No node has been restarted yet.',
      sortable: true,
      columns: [{ head: 'Kind' }, { head: 'Shard' }, { head: 'Node', code: true }, { head: 'Took', numeric: true }],
      rows: [...resyncs]
        .sort((a, b) => a.kind.localeCompare(b.kind))
        .map(({ kind, shard, node, ms }) => [
          sign(kind === 'partial' ? 'good' : 'caution', kind),
          shard,
          node,
          { content: latency(ms), sort: ms },
        ]),
    }),
    table({
      caption: 'Each move of the primary role, from the command until the new primary was seen to hold the slots',
      empty: 'No primary has been handed over yet.',
      sortable: true,
      columns: [
        { head: 'When' },
        { head: 'Shard' },
        { head: 'From', code: true },
        { head: 'To', code: true },
        { head: 'Mode' },
        { head: 'Took', numeric: true },
      ],
      rows: handovers.map(({ at, shard, from, to, mode, fellBack, ms }) => [
        { content: when(at), sort: Date.parse(at) },
        shard,
        from,
        to,
        [mode, fellBack !== undefined && html`<br /><span class="muted">not fast: ${fellBack}</span>`],
        { content: latency(ms), sort: ms },
      ]),
    }),
  ]);
}

export function backupsSection({ backups }: ReportData): Markup {
  return section('backups', 'Backups', [
    table({
      caption: 'Verified snapshots taken before anything was changed',
      empty: 'No backup has been recorded.',
      sortable: true,
      columns: [
        { head: 'Shard' },
        { head: 'From', code: true },
        { head: 'File and SHA-256', code: true },
        { head: 'Size', numeric: true },
        { head: 'Keys', numeric: true },
        { head: 'RDB', numeric: true },
        { head: 'Replication id and offset', code: true },
        { head: 'Taken' },
      ],
      rows: backups.map((b) => [
        b.shard,
        b.node,
        [b.file, html`<br /><span class="muted small">${b.sha256}</span>`],
        { content: formatSize(b.bytes), sort: b.bytes },
        { content: count(b.keys), sort: b.keys },
        b.rdbVersion,
        [html`<span class="small">${b.replid}</span>`, html`<br />${count(b.offset)}`],
        { content: when(b.at), sort: Date.parse(b.at) },
      ]),
    }),
  ]);
}
