import { formatSize } from '../duration.js';
import { stagingWorkflowId } from '../names.js';
import type { StagingRecord } from '../staging.js';
import { changeChart, share } from './change-chart.js';
import { figuresSection, unknownFigure, type Figure } from './figures.js';
import { html, type Markup } from './html.js';
import { contentsOf, pageOf } from './page.js';
import { section } from './people-and-gates.js';
import { count, fromTo, latency, moment } from './quantities.js';
import { stagingVerdict } from './staging-verdict.js';
import { stepsSection } from './step-bars.js';
import { verdictBlock } from './summary.js';
import { sign, table, type Cell, type Sign } from './table.js';

/** Everything that the report of a rehearsal shows. */
export interface StagingReportData {
  generatedAt: string;
  rehearsal: StagingRecord;
}

type Measured = StagingRecord['benchmarks'][number];

/** A rehearsal as one HTML file that loads nothing: what was tried, what changed, and who signed it off. */
export function renderStaging(data: StagingReportData): Markup {
  const { generatedAt, rehearsal } = data;
  const { deployment, startedBy, startedAt, endedAt, from, to } = rehearsal;
  const verdict = stagingVerdict(rehearsal);
  return pageOf({
    title: `${deployment}, rehearsal: ${verdict.label}`,
    head: [deployment, 'rehearsal', fromTo(from, to)],
    main: html`${verdictBlock(
      verdict,
      html`Started by ${startedBy}, ${moment(startedAt)}; ended ${moment(endedAt)}. Rehearsal
        <code>${rehearsal.staging}</code>. Report of ${moment(generatedAt)}.`,
    )}
    ${figuresSection(figuresOf(rehearsal))} ${contents} ${stepsSection(rehearsal.steps)} ${measuresSection(rehearsal)}
    ${signOffSection(rehearsal)} ${copySection(rehearsal)}`,
    footer: html`All times are UTC. What is tried and how it is measured: <code>docs/staging.md</code>. No node of the
      deployment was touched. The data of this page is in its <code>script#report-data</code>.`,
    data: () => ({ ...data, status: { workflowId: stagingWorkflowId(deployment) } }),
  });
}

const contents = contentsOf([
  ['steps', 'Steps'],
  ['measures', 'Before and after'],
  ['sign-off', 'Sign-off'],
  ['copy', 'The copy'],
]);

const asked: readonly (readonly [string, string])[] = [
  ['Latency, 99th percentile', 'latency.p99'],
  ['Throughput of GET', 'throughput.get'],
  ['Processor', 'cpu'],
  ['Memory', 'memory'],
];

function figuresOf({ steps, benchmarks, keys, slots }: StagingRecord): Figure[] {
  const tried = steps.filter(({ result }) => result !== 'skipped');
  const passed = tried.filter(({ result }) => result === 'passed').length;
  const judged = benchmarks.filter(({ target }) => target !== undefined);
  const met = judged.filter(({ verdict }) => verdict === 'met').length;
  return [
    {
      ...{ name: 'Steps passed', value: `${passed} of ${tried.length}` },
      ...(passed === tried.length ? { tone: 'good' } : steps.some(({ result }) => result === 'failed') ? { tone: 'bad' } : {}), // prettier-ignore
    },
    judged.length === 0
      ? unknownFigure('Targets met', 'staging.targets names none')
      : {
          ...{ name: 'Targets met', value: `${met} of ${judged.length}` },
          ...(met === judged.length ? { tone: 'good' } : judged.some(({ verdict }) => verdict === 'missed') ? { tone: 'bad' } : {}), // prettier-ignore
        },
    { name: 'Keys', value: count(keys), note: slots ? `of slots ${slots.join(', ')}` : 'all of the backup' },
    ...asked.map(([name, measure]): Figure => {
      const it = benchmarks.find((of) => of.measure === measure);
      if (it?.change === undefined) return unknownFigure(name, 'not on both sides');
      const between = `${valueOf(measure, it.before)} before, ${valueOf(measure, it.after)} after`;
      return it.verdict === 'noise'
        ? { name, value: share(it.change), note: `${between}; not judged`, tone: 'unknown' }
        : { name, value: share(it.change), note: between };
    }),
  ];
}

/** With the unit that its measure has. */
function valueOf(measure: string, value: number | undefined): string {
  if (value === undefined) return '';
  if (measure.startsWith('latency.')) return latency(value);
  if (measure.startsWith('service.')) return `${value.toFixed(1)} µs`;
  if (measure.startsWith('throughput.') || measure === 'rate') return `${count(value)} /s`;
  if (measure === 'memory') return formatSize(Math.round(value));
  return measure === 'cpu' ? `${value.toFixed(1)} ms` : value.toFixed(2);
}

const verdicts: Record<Measured['verdict'], Sign> = { met: 'good', missed: 'bad', noise: 'caution', measured: 'plain' };

/** Those of the whole before those of a class of commands. */
const isOfTheWhole = ({ measure, target }: Measured): boolean =>
  target !== undefined || !/^(latency\.[a-z-]+\.|service\.)/.test(measure);

function measuresSection({ benchmarks, from, to }: StagingRecord): Markup {
  const value = (measure: string, found: number | undefined): Cell =>
    found === undefined ? '' : { content: valueOf(measure, found), sort: found };
  const part = (found: number | undefined): Cell => (found === undefined ? '' : { content: share(found), sort: found });
  return section('measures', 'Before and after', [
    benchmarks.length > 0 && [
      html`<p>
        The median of all runs on ${to} against that on ${from}; the bar is where the change lies with 95 %, the broken
        line a target. Pale: the runs lie too far apart, or the machine was too busy, for a judgement.
      </p>`,
      html`<div class="chart">${changeChart(benchmarks.filter(isOfTheWhole))}</div>`,
    ],
    table({
      caption: 'Every measure',
      empty: 'Nothing was measured on both releases.',
      sortable: true,
      columns: [
        { head: 'Measure', code: true },
        { head: from, numeric: true },
        { head: to, numeric: true },
        { head: 'Change', numeric: true },
        { head: 'Spread', numeric: true },
        { head: 'Target', numeric: true },
        { head: 'Verdict' },
        { head: 'In words' },
      ],
      rows: benchmarks.map(({ measure, before, after, change, spread, target, verdict, says }) => [
        measure,
        value(measure, before),
        value(measure, after),
        ...[part(change), part(spread), part(target)],
        sign(verdicts[verdict], verdict),
        says,
      ]),
    }),
  ]);
}

function signOffSection({ approvals, decision, why }: StagingRecord): Markup {
  return section('sign-off', 'Sign-off', [
    html`<p>${decision === 'go' ? 'Go' : 'No-go'}: ${why}.</p>`,
    table({
      caption: 'Who was asked, and what they said',
      empty: 'Nobody was asked.',
      columns: [{ head: 'Question' }, { head: 'State' }, { head: 'Answer' }, { head: 'By' }, { head: 'At' }],
      rows: approvals.flatMap(({ approval, state, answers }) =>
        (answers.length === 0 ? [undefined] : answers).map((it) => [
          approval,
          sign(state === 'approved' ? 'good' : state === 'rejected' ? 'bad' : 'wait', state),
          it?.decision ?? '',
          it ? `${it.by} (${it.role})` : '',
          it ? moment(it.at) : '',
        ]),
      ),
    }),
  ]);
}

function copySection({ backup, takenAt, keys, shards, slots, reports }: StagingRecord): Markup {
  const files = reports.filter((it) => it !== '');
  return section('copy', 'The copy', [
    html`<p>
      Made of backup <code>${backup}</code> of ${moment(takenAt)}: ${count(keys)} keys of ${count(shards)}
      ${shards === 1 ? 'shard' : 'shards'}${slots && `, those of slots ${slots.join(', ')} alone`}.
    </p>`,
    files.length > 0 &&
      html`<p>Reports of what was rehearsed, on the worker’s machine:</p>
        <ul>
          ${files.map((file) => html`<li><code>${file}</code></li>`)}
        </ul>`,
  ]);
}
