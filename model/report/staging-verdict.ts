import { formatDuration } from '../duration.js';
import type { StagingRecord } from '../staging.js';
import { capital } from './drill-verdict.js';
import { countOf, fromTo } from './quantities.js';
import type { ReportVerdict } from './report-verdict.js';

/** How a rehearsal went, in words, from nothing but its record. */
export function stagingVerdict(record: StagingRecord): ReportVerdict {
  const { decision, slots, steps, why } = record;
  const of = (result: StagingRecord['steps'][number]['result']): StagingRecord['steps'] =>
    steps.filter((it) => it.result === result);
  const open = of('undecided');
  const go = decision === 'go';
  const failed = of('failed').map(({ name, found }) => `${capital(name)}: ${found}.`);
  return {
    tone: !go ? 'bad' : slots || open.length > 0 ? 'caution' : 'good',
    label: !go ? 'No-go' : slots ? 'Go, after a sample' : open.length > 0 ? 'Go, with something not judged' : 'Go',
    sentence: sentenceOf(record),
    proof: proofOf(record),
    findings: [
      ...(go ? [] : failed.length > 0 ? failed : [`${capital(why)}.`]),
      ...open.map(({ name, found }) => `${capital(name)} could not be judged: ${found}.`),
    ],
    statement: undefined,
    next: go
      ? [{ why: 'To do it in production', command: start(record, 'rollout start') }]
      : [{ why: 'To rehearse it once more', command: start(record, 'rollout staging start') }],
  };
}

const start = ({ deployment, to, via }: StagingRecord, command: string): string =>
  [command, deployment, '--to', to, ...via.flatMap((stop) => ['--via', stop])].join(' ');

function sentenceOf({ deployment, from, to, via, keys, slots, startedAt, endedAt }: StagingRecord): string {
  const way = via.length === 0 ? '' : ` by way of ${via.join(' and ')}`;
  const what = slots ? `of slots ${slots.join(', ')}, ` : '';
  const took = formatDuration(Date.parse(endedAt) - Date.parse(startedAt));
  return `${fromTo(from, to)}${way} was rehearsed on a copy of ${deployment}, ${what}${countOf(keys, 'key')}, in ${took}.`;
}

function proofOf({ steps, approvals }: StagingRecord): string {
  const compared = steps.findLast(({ name, result }) => name.startsWith('content') && result === 'passed');
  const signed = approvals.filter(({ state }) => state === 'approved').map(({ approval }) => approval);
  const parts = [
    ...(compared ? [compared.found] : []),
    ...(signed.length > 0 ? [`signed off by ${signed.join(' and ')}`] : []),
  ];
  return parts.length === 0 ? '' : `${parts.join('; ')}.`;
}
