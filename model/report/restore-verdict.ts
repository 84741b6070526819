import { forecastText, lackingOf, lackingText, resultText, sourceText } from '../backup-restore.js';
import { formatDuration } from '../duration.js';
import type { ReportData } from '../report.js';
import { count, countOf } from './quantities.js';
import { nextCommands, type ReportVerdict } from './report-verdict.js';

/** How the restore of a backup went, in words, from nothing but its data. */
export function restoreVerdict(data: ReportData): ReportVerdict {
  const { status } = data;
  const { result: end, deployment, restore, startedAt, endedAt } = status;
  const took = formatDuration(Date.parse(endedAt ?? data.generatedAt) - Date.parse(startedAt));
  const source = restore?.of ? sourceText(restore.of, deployment) : 'a backup';
  const result = restore?.result;
  const common = { proof: '', findings: [] as string[], statement: undefined, next: [] as ReportVerdict['next'] };
  if (end === 'completed' && result) {
    const [, ...findings] = resultText(result);
    const { different, missing, same } = comparedOf(result.compared);
    const others = different + missing;
    return {
      ...common,
      tone: others > 0 || findings.length > 1 ? 'caution' : 'good',
      label: others > 0 ? 'Restored, with differences' : 'Restored',
      sentence: `${deployment} was restored in ${took}: ${countOf(result.written.keys, 'key')} from ${source}.`,
      proof: `${countOf(same + others, 'key')} compared with ${result.point ? 'the point' : 'the backup'}, ${others === 0 ? 'none' : count(others)} different.`,
      findings: findings.slice(others > 0 ? 0 : 1),
    };
  }
  if (end !== undefined)
    return {
      ...common,
      tone: 'bad',
      label: end === 'aborted' ? 'Aborted' : 'Stopped',
      sentence: `The restore of ${source} into ${deployment} ${end === 'aborted' ? 'was aborted' : 'stopped'} after ${took}.`,
      findings: restore?.forecast ? lackingText(lackingOf(restore.forecast.shards)) : [],
      statement: status.statement ?? status.reason,
      next: nextCommands(data),
    };
  const [first] = status.waiting;
  return {
    ...common,
    tone: first ? 'waiting' : 'running',
    label: first ? `Waiting: ${first.kind} ${first.name}` : `Running: ${status.phase}`,
    sentence: `${deployment} is being restored from ${source}, for ${took} now.`,
    findings: restore?.forecast ? forecastText(restore.forecast).slice(1) : [],
    statement: status.reason,
    next: nextCommands(data),
  };
}

export function comparedOf(compared: readonly { same: number; different: number; missing: number }[]): {
  same: number;
  different: number;
  missing: number;
} {
  const sum = { same: 0, different: 0, missing: 0 };
  for (const { same, different, missing } of compared) {
    sum.same += same;
    sum.different += different;
    sum.missing += missing;
  }
  return sum;
}
