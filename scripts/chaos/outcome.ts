import { formatDuration } from '../../model/duration.js';
import { writesLost } from './ledger.js';
import { isFailure, type RunResult } from './run.js';
import { reproduce, scenarioText, type Scenario } from './scenario.js';

/** A run that is not as it must be, and what does it again. */
export interface Failure {
  reproduce: string;
  scenario: Scenario;
  what: string[];
  /** Where its evidence lies; absent when the run broke before there was any. */
  folder?: string;
}

/** What `--summary FILE` writes. */
export interface Summary {
  runs: number;
  /** Runs whose upgrade came to its end, if need be after being started again. */
  completed: number;
  /** Runs whose upgrade ended with a statement however often it was started. */
  stopped: number;
  /** Acknowledged writes that are not there any more, by both ledgers. */
  lost: number;
  invariantViolations: number;
  failures: Failure[];
}

/** One run, or why it could not be carried out at all. */
export type Outcome = { scenario: Scenario; folder: string } & ({ result: RunResult } | { broke: string });

const whatOf = (it: RunResult): string[] => [
  ...(it.result === 'completed' ? [] : [`not completed after ${it.starts} starts: ${it.statements.at(-1) ?? ''}`]),
  ...it.lost.map(({ what }) => `lost: ${what}`),
  ...it.violations.map(({ invariant, at, node, what }) => `${invariant}: ${node} ${what} (${at})`),
  ...it.problems,
];

export function summarize(outcomes: readonly Outcome[]): Summary {
  const results = outcomes.flatMap((it) => ('result' in it ? [it.result] : []));
  return {
    runs: outcomes.length,
    completed: results.filter(({ result }) => result === 'completed').length,
    stopped: results.filter(({ result }) => result === 'stopped').length,
    lost: results.reduce((sum, { lost }) => sum + writesLost(lost), 0),
    invariantViolations: results.reduce((sum, { violations }) => sum + violations.length, 0),
    failures: outcomes.flatMap((it): Failure[] => {
      const { scenario, folder } = it;
      if ('broke' in it) return [{ reproduce: reproduce(scenario), scenario, what: [it.broke] }];
      return isFailure(it.result)
        ? [{ reproduce: reproduce(scenario), scenario, what: whatOf(it.result), folder }]
        : [];
    }),
  };
}

/** One run in a few lines. */
export function tellOutcome(it: Outcome): string[] {
  const head = `#${it.scenario.run}  ${scenarioText(it.scenario)}`;
  if ('broke' in it) return [head, `    broke: ${it.broke}`, `    again: ${reproduce(it.scenario)}`];
  const { result, ms, starts, acknowledged, lost, violations, faults } = it.result;
  const counts = `${acknowledged.toLocaleString('en')} writes, ${writesLost(lost)} lost, ${violations.length} violations`;
  const again = starts === 1 ? '' : `, ${starts} starts`;
  const missed = faults.left.map((fault) => `    never came to pass: ${fault}`);
  const failed = isFailure(it.result)
    ? [
        ...whatOf(it.result).map((line) => `    ! ${line}`),
        `    again: ${reproduce(it.scenario)}`,
        `    kept:  ${it.folder}`,
      ]
    : [];
  return [head, `    ${result} in ${formatDuration(ms)}${again}; ${counts}`, ...missed, ...failed];
}
