import { formatDuration } from '../duration.js';
import { phaseMs, type PhaseRecord } from '../phases.js';
import type { ReportData } from '../report.js';
import type { Measure } from '../validation/judge.js';
import { html, type Markup } from './html.js';
import { section, when } from './people-and-gates.js';
import { sign, table, type Sign } from './table.js';

const phaseSign: Record<PhaseRecord['verdict'], Sign> = {
  ...{ running: 'wait', done: 'good', overridden: 'caution', skipped: 'caution', stopped: 'bad' },
};
const measureSign: Record<Measure['verdict'], Sign> = { met: 'good', missed: 'bad', unknown: 'caution' };

/** Each part of the operation with its verdict: what the policy left out is there, too. */
export function phasesSection({ status, generatedAt }: ReportData): Markup {
  const { phases = [], endedAt } = status;
  const now = Date.parse(endedAt ?? generatedAt);
  return section('phases', 'Phases', [
    table({
      caption: 'Each part of the operation: done, skipped by policy, overridden by somebody, or where it stopped',
      empty: 'No phase has begun yet.',
      columns: [
        { head: 'Verdict' },
        { head: 'Phase' },
        { head: 'From' },
        { head: 'Took', numeric: true },
        { head: 'Why' },
      ],
      rows: phases.map((phase) => [
        sign(phaseSign[phase.verdict], phase.verdict),
        phase.hop === undefined ? phase.phase : `${phase.phase} (${phase.hop})`,
        when(phase.from),
        phase.verdict === 'skipped' ? '' : formatDuration(phaseMs(phase, now)),
        phase.reason,
      ]),
    }),
  ]);
}

/** What it was like before and after, by the servers' own counters and by the probe, and what the application's checks say. */
export function validationSection({ validation }: ReportData): Markup {
  const { baseline, after, measures = [], checks = [] } = validation ?? {};
  const notes = [...new Set([...(baseline?.notes ?? []), ...(after?.notes ?? [])])];
  return section('validation', 'Before and after', [
    baseline &&
      html`<p>
        Measured for ${formatDuration(baseline.ms)} from ${when(baseline.from)}, before anything was
        touched${after && html`, and for ${formatDuration(after.ms)} from ${when(after.from)}, after the last node`}, on
        every primary: what its own counters say of that time, and the probe’s last ten seconds at its end.
        ${notes.map((note) => html` ${note}.`)}
      </p>`,
    table({
      caption: 'What is held against the thresholds of policy.validation, those that were missed first',
      empty: baseline ? 'It was not measured again yet.' : 'Nothing was measured before anything was touched.',
      columns: [
        { head: 'Verdict' },
        { head: 'Measure' },
        { head: 'Before', numeric: true },
        { head: 'After', numeric: true },
        { head: 'Allowed' },
      ],
      rows: measures.map(({ measure, verdict, before = '', after: now = '', limit }) => [
        sign(measureSign[verdict], verdict),
        measure,
        before,
        now,
        limit,
      ]),
    }),
    table({
      caption: 'Checks of the application, run against the upgraded deployment',
      empty: 'No check of the deployment file is of: validation.',
      columns: [
        { head: 'Result' },
        { head: 'Check', code: true },
        { head: 'Took', numeric: true },
        { head: 'What it said' },
      ],
      rows: checks.map(({ check, result, tookMs, found }) => [
        sign(result === 'passed' ? 'good' : 'bad', result),
        check,
        formatDuration(tookMs),
        found,
      ]),
    }),
  ]);
}
