import { trendOf, type DrillRecord, type DrillStep } from '../../../model/drill.js';
import { formatDuration } from '../../../model/duration.js';
import { columns } from './columns.js';

type Listed = DrillRecord | { drill: string; problem: string };

const verdict = (passed: boolean): string => (passed ? 'passed' : 'failed');
const took = ({ tookMs }: DrillStep): string => (tookMs === 0 ? '' : formatDuration(tookMs));

/** What came of one. */
export function drillView(record: DrillRecord, { width }: { width: number }): string[] {
  const { deployment, backup, release, shards, keys, steps } = record;
  const rows = steps.map((step) => [step.name, step.result, took(step), step.found]);
  return [
    `Drill of ${deployment} ${verdict(record.passed)}: backup ${backup}, ${keys.toLocaleString('en')} keys of ${shards} ${shards === 1 ? 'shard' : 'shards'}, into a cluster of ${release}.`,
    ...columns([['step', 'result', 'took', 'found'], ...rows], { width, indent: 2 }),
  ];
}

/** All that were held, and where recovery goes. */
export function drillsView(
  drills: readonly Listed[],
  { deployment, target, now, width }: { deployment: string; target: string; now: number; width: number },
): string[] {
  if (drills.length === 0) return [`No drill of ${deployment} in ${target}.`, `Hold one: rollout drill ${deployment}`];
  const rows = drills.map((it) =>
    'problem' in it
      ? [it.drill, '', '', '', '', `can't be read: ${it.problem}`]
      : [
          it.drill,
          formatDuration(now - Date.parse(it.startedAt)),
          it.recoveryTime === undefined ? 'none' : formatDuration(it.recoveryTime.ms),
          formatDuration(it.recoveryPoint.ms),
          it.backup,
          [verdict(it.passed), ...failedSteps(it)].join(': '),
        ],
  );
  const head = ['drill', 'age', 'recovery time', 'recovery point', 'backup', 'result'];
  return [
    `Drills of ${deployment} in ${target}`,
    ...columns([head, ...rows], { width, indent: 2 }),
    ...trendLines(drills.filter((it): it is DrillRecord => !('problem' in it))),
  ];
}

const failedSteps = ({ steps }: DrillRecord): string[] => {
  const names = steps.filter(({ result }) => result === 'failed').map(({ name }) => name);
  return names.length === 0 ? [] : [names.join(', ')];
};

function trendLines(drills: readonly DrillRecord[]): string[] {
  const { failed, recoveryTimeMs, times } = trendOf(drills);
  const held = `${drills.length} held, ${failed} failed.`;
  if (recoveryTimeMs === undefined || times === undefined) return [held];
  return [`${held} The newest took ${times.toFixed(1)} × the median of those before it to recover.`];
}
