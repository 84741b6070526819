import {
  failedSteps,
  restoredText,
  shareOf,
  trendOf,
  type DrillRecord,
  type DrillStep,
  type ListedDrill,
} from '../../../model/drill.js';
import { formatDuration } from '../../../model/duration.js';
import { columns } from './columns.js';

const verdict = (passed: boolean): string => (passed ? 'passed' : 'failed');
const took = ({ tookMs }: DrillStep): string => (tookMs === 0 ? '' : formatDuration(tookMs));

/** What came of one. */
export function drillView(record: DrillRecord, { width }: { width: number }): string[] {
  const { deployment, release, steps } = record;
  const rows = steps.map((step) => [step.name, step.result, took(step), step.found]);
  return [
    `Drill of ${deployment} ${verdict(record.passed)}: ${restoredText(record)}, into a cluster of ${release}.`,
    ...columns([['step', 'result', 'took', 'found'], ...rows], { width, indent: 2 }),
  ];
}

/** All that were held, and where recovery goes. */
export function drillsView(
  drills: readonly ListedDrill[],
  { deployment, target, now, width }: { deployment: string; target: string; now: number; width: number },
): string[] {
  if (drills.length === 0) return [`No drill of ${deployment} in ${target}.`, `Hold one: rollout drill ${deployment}`];
  const rows = drills.map((it) =>
    'problem' in it
      ? [it.drill, '', '', '', '', '', `can't be read: ${it.problem}`]
      : [
          it.drill,
          formatDuration(now - Date.parse(it.startedAt)),
          it.recoveryTime === undefined ? 'none' : formatDuration(it.recoveryTime.ms),
          formatDuration(it.recoveryPoint.ms),
          it.part === undefined ? 'all' : `${it.part.shards.length} of ${it.part.ofShards}`,
          it.backup,
          it.passed
            ? verdict(true)
            : `${verdict(false)}: ${failedSteps(it)
                .map(({ name }) => name)
                .join(', ')}`,
        ],
  );
  const head = ['drill', 'age', 'recovery time', 'recovery point', 'shards', 'backup', 'result'];
  return [
    `Drills of ${deployment} in ${target}`,
    ...columns([head, ...rows], { width, indent: 2 }),
    ...trendLines(drills.filter((it): it is DrillRecord => !('problem' in it))),
  ];
}

function trendLines(drills: readonly DrillRecord[]): string[] {
  const { failed, recoveryTimeMs, times } = trendOf(drills);
  const held = `${drills.length} held, ${failed} failed.`;
  if (recoveryTimeMs === undefined || times === undefined) return [held];
  const [newest] = drills.filter(({ recoveryTime }) => recoveryTime !== undefined);
  const like = newest?.part === undefined ? '' : ` that restored ${shareOf(newest)} % of the slots, too,`;
  return [`${held} The newest took ${times.toFixed(1)} × the median of those before it${like} to recover.`];
}
