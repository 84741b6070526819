import { failedSteps, shareOf, type DrillRecord, type DrillStep, type ListedDrill } from '../drill.js';
import { partText } from '../drill-part.js';
import { formatDuration, formatSize } from '../duration.js';
import { drillWorkflowId } from '../names.js';
import { capital, drillVerdict } from './drill-verdict.js';
import { figuresSection, unknownFigure, type Figure } from './figures.js';
import { html, type Markup } from './html.js';
import { contentsOf, pageOf } from './page.js';
import { section, when } from './people-and-gates.js';
import { axis } from './plot.js';
import { count, moment } from './quantities.js';
import { stepsSection } from './step-bars.js';
import { verdictBlock } from './summary.js';
import { sign, table, type Cell } from './table.js';
import { timeScale } from './time-scale.js';
import { trendChart, trendLegend, type TrendPoint } from './trend.js';

/** Everything that the report of a drill shows. */
export interface DrillReportData {
  generatedAt: string;
  /** The one that it is about. */
  drill: DrillRecord;
  /** All that are known, the newest first. */
  drills: readonly ListedDrill[];
}

/** A drill as one HTML file that loads nothing, with where recovery goes over all of them. */
export function renderDrill(data: DrillReportData): Markup {
  const { generatedAt, drill, drills } = data;
  const { deployment, startedBy, startedAt, endedAt } = drill;
  const verdict = drillVerdict(drill);
  return pageOf({
    title: `${deployment}, drill: ${verdict.label}`,
    head: [deployment, 'drill'],
    main: html`${verdictBlock(
      verdict,
      html`Started by ${startedBy}, ${moment(startedAt)}; ended ${moment(endedAt)}. Drill <code>${drill.drill}</code>.
        Report of ${moment(generatedAt)}.`,
    )}
    ${figuresSection(figuresOf(drill))} ${contents} ${stepsSection(drill.steps)} ${trendSection(drills)}
    ${restoredSection(drill)} ${earlierSection(drills)}`,
    footer: html`All times are UTC. What is tried and how it is measured: <code>docs/drills.md</code>. The cluster that
      was restored into has been thrown away; no node of the deployment was touched. The data of this page is in its
      <code>script#report-data</code>.`,
    data: () => ({ ...data, status: { workflowId: drillWorkflowId(deployment) } }),
  });
}

const contents = contentsOf([
  ['steps', 'Steps'],
  ['trend', 'Trend'],
  ['restored', 'What was restored'],
  ['earlier', 'Every drill'],
]);

const measuredOf = ({ steps }: Pick<DrillRecord, 'steps'>): NonNullable<DrillStep['measured']> =>
  Object.assign({}, ...steps.map(({ measured }) => measured)) as NonNullable<DrillStep['measured']>;

function objective(ms: number, objectiveMs: number | undefined, part = false): Pick<Figure, 'note' | 'tone'> {
  if (objectiveMs === undefined) return { note: 'no objective in the deployment file' };
  const asked = `the ${formatDuration(objectiveMs)} of the objective`;
  if (ms > objectiveMs) return { note: `more than ${asked}`, tone: 'bad' };
  return part ? { note: `a part; ${asked} are those of the whole` } : { note: `within ${asked}`, tone: 'good' };
}

function figuresOf(drill: DrillRecord): Figure[] {
  const { recoveryTime, recoveryPoint, keys, part, memory, steps } = drill;
  const { detectedMs, writableMs, servedMs } = measuredOf(drill);
  const why = (name: string): string => {
    const step = steps.find((it) => it.name === name);
    return step && step.result !== 'passed' ? step.found : 'drill.failures is off';
  };
  const verify = steps.find(({ name }) => name === 'verify');
  const of = recoveryPoint.by === 'archive' ? 'by the archive' : 'by the newest backup';
  const point = objective(recoveryPoint.ms, recoveryPoint.objectiveMs);
  return [
    recoveryTime
      ? {
          ...{ name: 'Recovery time', value: formatDuration(recoveryTime.ms) },
          ...objective(recoveryTime.ms, recoveryTime.objectiveMs, part !== undefined),
        }
      : unknownFigure('Recovery time', 'nothing was restored'),
    { name: 'Recovery point', value: formatDuration(recoveryPoint.ms), ...point, note: [of, ', ', point.note] },
    { name: 'Keys', value: count(keys), note: part ? partText(part) : 'all shards' },
    {
      name: 'Compared',
      value: verify?.result === 'passed' ? 'all the same' : (verify?.result ?? 'not tried'),
      note: verify?.found ?? '',
      ...(verify?.result === 'failed' ? { tone: 'bad' } : verify?.result === 'passed' ? { tone: 'good' } : {}),
    },
    detectedMs === undefined
      ? unknownFigure('Failure noticed', why('a primary dies'))
      : {
          name: 'Failure noticed',
          value: formatDuration(detectedMs),
          note: 'until another node called a killed primary failed',
        },
    writableMs === undefined
      ? unknownFigure('Failed over', why('a primary dies'))
      : { name: 'Failed over', value: formatDuration(writableMs), note: 'until its replica took a write' },
    servedMs === undefined
      ? unknownFigure('A lost shard', why('a shard is lost'))
      : { name: 'A lost shard', value: formatDuration(servedMs), note: 'until its keys were served again' },
    ...(memory
      ? [
          {
            name: 'Memory',
            value: formatSize(memory.neededBytes),
            note: `needed, by an estimate; ${formatSize(memory.freeBytes)} were free`,
          },
        ]
      : []),
  ];
}

const readable = (drills: readonly ListedDrill[]): DrillRecord[] => drills.flatMap((it) => ('problem' in it ? [] : it));

function trendSection(drills: readonly ListedDrill[]): Markup {
  const oldest = readable(drills).reverse();
  const times = oldest.map(({ startedAt }) => Date.parse(startedAt));
  const [from, to] = [Math.min(...times), Math.max(...times)];
  const margin = Math.max(1_800_000, (to - from) * 0.03);
  const scale = timeScale(from - margin, to + margin, []);
  const charts: [string, (drill: DrillRecord) => { ms: number; objectiveMs?: number | undefined } | undefined][] = [
    ['Recovery time', ({ recoveryTime }) => recoveryTime],
    ['Recovery point', ({ recoveryPoint }) => recoveryPoint],
    ['Failed over', (drill) => milliseconds(measuredOf(drill).writableMs)],
    ['A lost shard', (drill) => milliseconds(measuredOf(drill).servedMs)],
  ];
  return section('trend', 'Trend', [
    html`<p>
      Each drill that is on record, on an axis from nothing. A part of a deployment comes back sooner than the whole:
      such drills stand beside the line.
    </p>`,
    trendLegend,
    html`<div class="chart">
      ${axis(scale)}${charts.map(([name, of]) => {
        const points = oldest.flatMap((drill): TrendPoint[] => {
          const found = of(drill);
          return found ? [{ at: Date.parse(drill.startedAt), ...pointOf(drill, name), ...found }] : [];
        });
        return points.length > 0 && trendChart(name, points, scale);
      })}
    </div>`,
  ]);
}

const milliseconds = (ms: number | undefined): { ms: number } | undefined => (ms === undefined ? undefined : { ms });

/** What can be lost, and how soon a node is missed, is of all of the deployment, whichever part is restored. */
function pointOf(drill: DrillRecord, name: string): Pick<TrendPoint, 'kind' | 'note'> {
  const partial = drill.part !== undefined && name === 'Recovery time';
  return {
    kind: !drill.passed ? 'failed' : partial ? 'part' : 'passed',
    note: [
      ...(drill.part ? [partText(drill.part)] : []),
      ...(drill.passed ? [] : [`failed: ${failedSteps(drill).map((it) => it.name).join(', ')}`]), // prettier-ignore
    ].join('; '),
  };
}

function restoredSection({ backup, point, part, release, shards, recoveryPoint }: DrillRecord): Markup {
  const reaches = recoveryPoint.reaches;
  return section('restored', 'What was restored', [
    html`<p>
      Backup <code>${backup}</code>${point && html`, brought on by the archive to ${point.asked}`}, into a cluster of
      ${release} with ${shards === 1 ? 'one shard' : `${shards} shards`}${part && html`: ${partText(part)}`}.
      ${
        reaches !== undefined &&
        html`When the drill began, every shard could be had up to ${moment(reaches)}, by
        ${recoveryPoint.by === 'archive' ? 'the archive' : 'the newest backup'}.`
      }
    </p>`,
    point &&
      table({
        caption: 'Where each shard was brought back to',
        empty: '',
        columns: [{ head: 'Shard' }, { head: 'Offset', numeric: true }, { head: 'The last of it had arrived' }],
        rows: point.shards.map(({ shard, offset, at }) => [shard, count(offset), moment(at)]),
      }),
  ]);
}

function earlierSection(drills: readonly ListedDrill[]): Markup {
  const duration = (ms: number | undefined): Cell =>
    ms === undefined ? '' : { content: formatDuration(ms), sort: ms };
  return section('earlier', 'Every drill', [
    table({
      caption: 'Drills on record, the newest first',
      empty: 'None is on record.',
      sortable: true,
      columns: [
        { head: 'Held' },
        { head: 'Result' },
        { head: 'Recovery time', numeric: true },
        { head: 'Recovery point', numeric: true },
        { head: 'Noticed', numeric: true },
        { head: 'Failed over', numeric: true },
        { head: 'Lost shard', numeric: true },
        { head: 'Keys', numeric: true },
        { head: 'Slots', numeric: true },
        { head: 'Release' },
        { head: 'What failed' },
      ],
      rows: drills.map((it): Cell[] => {
        if ('problem' in it) return [it.drill, sign('bad', 'unreadable'), '', '', '', '', '', '', '', '', it.problem];
        const { detectedMs, writableMs, servedMs } = measuredOf(it);
        return [
          { content: [day(it.startedAt), ' ', when(it.startedAt)], sort: Date.parse(it.startedAt) },
          it.passed ? sign('good', 'passed') : sign('bad', 'failed'),
          duration(it.recoveryTime?.ms),
          duration(it.recoveryPoint.ms),
          ...[duration(detectedMs), duration(writableMs), duration(servedMs)],
          { content: count(it.keys), sort: it.keys },
          { content: `${shareOf(it)} %`, sort: shareOf(it) },
          it.release,
          failedSteps(it).map(({ name, found }) => html`${capital(name)}: ${found}<br />`),
        ];
      }),
    }),
  ]);
}

const day = (instant: string): string => instant.slice(0, 10);
