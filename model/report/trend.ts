import { formatDuration } from '../duration.js';
import { html, type Content, type Markup } from './html.js';
import { ground, percent, plot, row } from './plot.js';
import { moment } from './quantities.js';
import { place, type TimeScale } from './time-scale.js';

/** How long something took once. */
export interface TrendPoint {
  /** Unix ms. */
  at: number;
  ms: number;
  /** What it may take at the most, as it was then. */
  objectiveMs?: number | undefined;
  /** `failed`: what it is of did not pass. `part`: it is not of all, and no line leads there. */
  kind: 'passed' | 'failed' | 'part';
  /** Said beside the value where the pointer is. */
  note: string;
}

const HEIGHT = 84;
/** Above the highest value. */
const AIR = 1.15;
/** An objective that lies further above the values would press them to the ground: it is told instead. */
const FAR = 3;

const [SECOND, MINUTE, HOUR, DAY] = [1000, 60_000, 3_600_000, 86_400_000];
const steps = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 15, 30].map((it) => it * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((it) => it * MINUTE),
  ...[1, 2, 3, 6, 12].map((it) => it * HOUR),
  ...[1, 2, 4, 7, 14, 30, 60, 120, 240, 365].map((it) => it * DAY),
];

/** Round durations from 0 to there, ms: three at the most, and one at least above 0. */
export function durationTicks(most: number): number[] {
  const step = steps.find((it) => most / it <= 3) ?? Math.ceil(most / (3 * DAY)) * DAY;
  return Array.from({ length: Math.floor(most / step) }, (_, i) => (i + 1) * step);
}

/**
 * One measure over the times at which it was taken, from 0 on, with its objective.
 *
 * @param points the oldest first, one at least
 */
export function trendChart(name: string, points: readonly TrendPoint[], scale: TimeScale): Markup {
  const highest = Math.max(1, ...points.map(({ ms }) => ms));
  const objectives = points.flatMap(({ objectiveMs }) => objectiveMs ?? []);
  const shown = objectives.filter((it) => it <= FAR * highest);
  const most = Math.max(highest, ...shown) * AIR;
  const y = (ms: number): number => Math.round((HEIGHT - (HEIGHT * Math.min(ms, most)) / most) * 10) / 10;
  const last = points.at(-1);
  const objective = last?.objectiveMs;
  const label = `${name}: ${points.map(({ at, ms, kind }) => `${moment(new Date(at).toISOString())} ${formatDuration(ms)}${kind === 'passed' ? '' : ` (${kind})`}`).join(', ')}`;
  return row(
    [
      html`<span class="series-name">${name}</span>`,
      html`<span class="numbers"
        >${last && [html`<b>${formatDuration(last.ms)}</b> the last`, ' ']}${
          objective !== undefined &&
          html`<span>objective ${formatDuration(objective)}${objective > FAR * highest && ', far above'}</span>`
        }</span
      >`,
    ],
    plot({ height: HEIGHT, label, className: 'trend' }, [
      ground(scale),
      html`<line class="base" x1="0" x2="100%" y1="${HEIGHT}" y2="${HEIGHT}" />`,
      durationTicks(most).map((ms) => html`<line class="level" x1="0" x2="100%" y1="${y(ms)}" y2="${y(ms)}" />`),
      objectiveLine(points, scale, (ms) => (shown.includes(ms) ? y(ms) : undefined)),
      curve(
        points.filter(({ kind }) => kind !== 'part'),
        scale,
        y,
      ),
      points.map((point) => mark(point, scale, y)),
      durationTicks(most).map((ms) => html`<text class="level-name" x="0" y="${y(ms)}">${formatDuration(ms)}</text>`),
    ]),
    'trend-row',
  );
}

/** As high as it was at each drill, until the next. */
function objectiveLine(
  points: readonly TrendPoint[],
  scale: TimeScale,
  y: (ms: number) => number | undefined,
): Content {
  return points.map(({ at, objectiveMs }, i) => {
    const height = objectiveMs === undefined ? undefined : y(objectiveMs);
    if (height === undefined) return undefined;
    const [from, to] = [
      i === 0 ? 0 : place(scale, at),
      i === points.length - 1 ? 1 : place(scale, points[i + 1]?.at ?? at),
    ];
    return html`<line class="objective" x1="${percent(from)}" x2="${percent(to)}" y1="${height}" y2="${height}" />`;
  });
}

function curve(points: readonly TrendPoint[], scale: TimeScale, y: (ms: number) => number): Content {
  return points.slice(1).map(({ at, ms }, i) => {
    const before = points[i];
    if (!before) return undefined;
    return html`<line
      class="curve"
      x1="${percent(place(scale, before.at))}"
      x2="${percent(place(scale, at))}"
      y1="${y(before.ms)}"
      y2="${y(ms)}"
    />`;
  });
}

function mark({ at, ms, kind, note }: TrendPoint, scale: TimeScale, y: (ms: number) => number): Markup {
  const title = `${moment(new Date(at).toISOString())}: ${formatDuration(ms)}${note === '' ? '' : `, ${note}`}`;
  return html`<svg class="point ${kind}" x="${percent(place(scale, at))}" y="${y(ms)}" overflow="visible">
    <title>${title}</title>
    ${
      kind === 'failed'
        ? html`<path class="stroked" d="M-4 -4 4 4M4 -4 -4 4" />`
        : html`<circle r="${kind === 'part' ? 3.2 : 3.6}" />`
    }
  </svg>`;
}

const swatch = (kind: TrendPoint['kind'], text: string): Markup =>
  html`<li>
    <svg width="12" height="12" aria-hidden="true">
      <svg class="point ${kind}" x="6" y="6" overflow="visible">
        ${kind === 'failed' ? html`<path class="stroked" d="M-4 -4 4 4M4 -4 -4 4" />` : html`<circle r="3.5" />`}
      </svg></svg
    >${text}
  </li>`;

export const trendLegend = html`<ul class="legend" aria-label="Marks of the trend">
  ${swatch('passed', 'a drill that passed')} ${swatch('failed', 'one that failed')}
  ${swatch('part', 'one of a part of the deployment')}
  <li>
    <svg width="22" height="12" aria-hidden="true"><line class="objective" x1="0" x2="22" y1="6" y2="6" /></svg>its
    objective
  </li>
</ul>`;
