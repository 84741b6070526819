import { formatDuration, formatSize } from '../duration.js';
import type { VerifyResult } from '../evidence.js';
import type { ReportData } from '../report.js';
import { html, type Markup } from './html.js';
import { section } from './people-and-gates.js';
import { count, countOf, latency, named } from './quantities.js';
import { sign, table } from './table.js';

/** What was written and found again, and what primaries and replicas hold. */
export function proofSection({ probe, verify }: ReportData): Markup {
  const ledger = probe?.ledger;
  return section('proof', 'Ledger and verification', [
    html`<h3>Ledger</h3>`,
    table({
      caption: 'Every write that the probe saw acknowledged, by type, read back at the end',
      empty: probe
        ? 'The ledger has not been read back: nothing is known of lost writes.'
        : 'The probe was off: nothing is known of lost writes.',
      columns: [
        { head: 'Type', code: true },
        { head: 'Acknowledged', numeric: true },
        { head: 'Lost', numeric: true },
        { head: 'Result' },
      ],
      rows: Object.entries(ledger?.byType ?? {}).map(([type, { acknowledged, lost }]) => [
        type,
        count(acknowledged),
        count(lost),
        lost === 0 ? sign('good', 'all found') : sign('bad', 'lost'),
      ]),
    }),
    ledger &&
      ledger.examples.length > 0 &&
      table({
        caption: `The first ${ledger.examples.length} of ${count(ledger.lost)} that were lost`,
        empty: '',
        columns: [
          { head: 'Key', code: true },
          { head: 'Type', code: true },
          { head: 'Written', code: true },
          { head: 'Found', code: true },
        ],
        rows: ledger.examples.map(({ key, type, expected, found }) => [key, type, expected, found]),
      }),
    html`<h3>Verification</h3>`,
    table({
      caption: 'Each primary compared with each of its replicas: key, type, value and expiry',
      empty: 'Primaries and replicas were not compared.',
      sortable: true,
      columns: [
        { head: 'Result' },
        { head: 'Shard' },
        { head: 'Primary', code: true },
        { head: 'Replica', code: true },
        { head: 'Keys', numeric: true },
        { head: 'Size', numeric: true },
        { head: 'Different', numeric: true },
        { head: 'Expiry drift', numeric: true },
        { head: 'Took', numeric: true },
        { head: 'Left out' },
      ],
      rows: [...verify]
        .sort((a, b) => b.different - a.different)
        .map((v) => [
          v.different === 0 ? sign('good', 'equal') : sign('bad', 'different'),
          v.shard,
          v.primary,
          v.replica,
          { content: `${count(v.keys)}${v.mode === 'sample' ? ' sampled' : ''}`, sort: v.keys },
          { content: formatSize(v.bytes), sort: v.bytes },
          { content: count(v.different), sort: v.different },
          { content: latency(v.ttlDriftMs), sort: v.ttlDriftMs },
          { content: formatDuration(v.durationMs), sort: v.durationMs },
          leftOut(v),
        ]),
    }),
    verify.some((v) => v.examples.length > 0) &&
      table({
        caption: 'Differences that did not settle (the first of each comparison)',
        empty: '',
        most: 300,
        columns: [{ head: 'Replica', code: true }, { head: 'Key', code: true }, { head: 'Difference' }],
        rows: verify.flatMap((v) => v.examples.map(({ key, what }) => [v.replica, key, what])),
      }),
  ]);
}

/** What a comparison could not say, in words; empty where it says all. */
function leftOut({ complete, statement, notComparable = {}, unsettled = 0, unsettledKeys }: VerifyResult): string {
  const modules = Object.entries(notComparable).map(([type, keys]) => `${countOf(keys, 'key')} of type ${type}`);
  return [
    complete === false ? (statement ?? 'it was not whole') : undefined,
    modules.length > 0 ? `of ${modules.join(', ')} only presence and expiry were compared` : undefined,
    unsettled > 0
      ? `${countOf(unsettled, 'key was', 'keys were')} rewritten too often to be set side by side${named(unsettledKeys, unsettled)}`
      : undefined,
  ]
    .filter((part) => part !== undefined)
    .join('; ');
}
