import { failedSteps, type DrillRecord } from '../drill.js';
import { partText } from '../drill-part.js';
import { formatDuration } from '../duration.js';
import { countOf } from './quantities.js';
import type { ReportVerdict } from './report-verdict.js';

/** How a drill went, in words, from nothing but its record. */
export function drillVerdict(record: DrillRecord): ReportVerdict {
  const { passed, part, steps } = record;
  const skipped = steps.filter(({ name, result }) => result === 'skipped' && !name.startsWith('objective'));
  return {
    tone: !passed ? 'bad' : part ? 'caution' : 'good',
    label: !passed ? 'Failed' : part ? 'Passed, for a part' : 'Passed',
    sentence: sentenceOf(record),
    proof: proofOf(record),
    findings: [
      ...failedSteps(record).map(({ name, found }) => `${capital(name)}: ${found}.`),
      ...(passed ? skipped.map(({ name, found }) => `${capital(name)} was not tried: ${found}.`) : []),
    ],
    statement: undefined,
    next: passed ? [] : [{ why: 'To hold another', command: `rollout drill ${record.deployment}` }],
  };
}

export const capital = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1);

function sentenceOf({ deployment, recoveryTime, recoveryPoint, keys, shards, part }: DrillRecord): string {
  const lost =
    recoveryPoint.ms === 0
      ? 'Nothing that was written would have been lost.'
      : `What was written in the last ${formatDuration(recoveryPoint.ms)} would have been lost.`;
  if (!recoveryTime) return `${deployment} was not brought back. ${lost}`;
  const what = part ? `${partText(part)} of ${deployment}` : `${deployment}, ${countOf(shards, 'shard')}`;
  return `${what}, ${part ? 'with ' : ''}${countOf(keys, 'key')}, came back from nothing in ${formatDuration(recoveryTime.ms)}. ${lost}`;
}

function proofOf({ steps }: DrillRecord): string {
  const verify = steps.find(({ name }) => name === 'verify');
  const checks = steps.filter(({ name }) => name.startsWith('check '));
  const good = checks.filter(({ result }) => result === 'passed').length;
  const parts = [
    ...(verify?.result === 'passed' ? [verify.found] : []),
    ...(checks.length > 0 ? [`${good} of ${countOf(checks.length, 'check')} of yours passed`] : []),
  ];
  return parts.length === 0 ? '' : `${parts.join('; ')}.`;
}
