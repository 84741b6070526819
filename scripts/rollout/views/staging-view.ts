import { formatDuration } from '../../../model/duration.js';
import type { StagingRecord } from '../../../model/staging.js';
import { columns } from './columns.js';

type Listed = StagingRecord | { staging: string; problem: string };

/** What came of one. */
export function stagingView(record: StagingRecord, { width }: { width: number }): string[] {
  const { deployment, from, to, via, backup, keys, shards, steps, benchmarks, approvals, reports } = record;
  const tried = steps.map(({ name, result, tookMs, found }) => [
    ...[name, result, tookMs === 0 ? '' : formatDuration(tookMs)],
    found,
  ]);
  const measured = benchmarks.map(({ measure, before, after, verdict, says }) => [
    ...[measure, number(before), number(after), verdict],
    says.slice(measure.length + 1),
  ]);
  return [
    `Rehearsal of ${deployment}, ${[from, ...via, to].join(' → ')}: ${record.decision}. ${record.why}`,
    `Backup ${backup}, ${keys.toLocaleString('en')} keys of ${shards} ${shards === 1 ? 'shard' : 'shards'}, ${record.startedAt} to ${record.endedAt}, started by ${record.startedBy}.`,
    ...columns([['step', 'result', 'took', 'found'], ...tried], { width, indent: 2 }),
    ...(measured.length === 0
      ? []
      : columns([['measure', 'before', 'after', 'verdict', 'change'], ...measured], { width, indent: 2 })),
    ...approvals.map(
      ({ approval, state, answers }) =>
        `  ${approval}: ${state}${answers.map(({ by, decision, at }) => `, ${decision} by ${by} at ${at}`).join('')}`,
    ),
    ...reports.filter((it) => it !== '').map((it) => `  Report: ${it}`),
  ];
}

const number = (value: number | undefined): string =>
  value === undefined ? '' : value.toLocaleString('en', { maximumSignificantDigits: 4 });

/** All that were held. */
export function stagingsView(
  records: readonly Listed[],
  { deployment, target, now, width }: { deployment: string; target: string; now: number; width: number },
): string[] {
  if (records.length === 0)
    return [`No rehearsal of ${deployment} in ${target}.`, `Begin one: rollout staging start ${deployment} --to 8.0`];
  const rows = records.map((it) =>
    'problem' in it
      ? [it.staging, '', '', `can't be read: ${it.problem}`]
      : [
          it.staging,
          formatDuration(now - Date.parse(it.startedAt)),
          `${it.from} → ${it.to}`,
          `${it.decision}: ${it.why}`,
        ],
  );
  return [
    `Rehearsals of ${deployment} in ${target}`,
    ...columns([['rehearsal', 'age', 'releases', 'decision'], ...rows], { width, indent: 2 }),
  ];
}
