import type { StagingRecord } from '../staging.js';
import { html, type Content, type Markup } from './html.js';
import { percent, plot, row } from './plot.js';

const HEIGHT = 24;
/** Changes beyond are drawn at the edge: one measure that went astray would press all others together. */
const MOST = 2;
const STEPS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1] as const;

type Compared = StagingRecord['benchmarks'][number];
type Changed = Compared & { change: number; from: number; to: number };
const isChanged = (it: Compared): it is Changed =>
  it.change !== undefined && it.from !== undefined && it.to !== undefined;

/** `+5 %`, `-12.3 %` */
export const share = (value: number): string =>
  `${value > 0 ? '+' : ''}${(value * 100).toFixed(Math.abs(value) < 0.1 ? 1 : 0)} %`;

/**
 * How measures changed, each with the interval in which the change lies with 95 %, on one axis with no change in the middle of
 * it; a target is a line across.
 */
export function changeChart(measures: readonly Compared[]): Content {
  const shown = measures.filter(isChanged);
  const ends = shown.flatMap(({ change, from, to, target = 0 }) => [change, from, to, target].map(Math.abs));
  const most = Math.min(MOST, Math.max(0.02, ...ends) * 1.05);
  const x = (value: number): number => (Math.max(-most, Math.min(most, value)) / most + 1) / 2;
  const step = STEPS.find((it) => most / it <= 3) ?? 1;
  const ticks = Array.from({ length: 2 * Math.floor(most / step) + 1 }, (_, i) => (i - Math.floor(most / step)) * step);
  return [scaleRow(ticks, x), ...shown.map((it) => changeRow(it, ticks, x))];
}

const scaleRow = (ticks: readonly number[], x: (value: number) => number): Markup =>
  row(
    html`<span class="unit">after against before</span>`,
    plot({ height: 20, label: 'Axis of changes, no change in the middle', className: 'axis' }, [
      ticks.map(
        (at) =>
          html`<g class="tick"
            ><line x1="${percent(x(at))}" x2="${percent(x(at))}" y1="15" y2="20" /><text
              x="${percent(x(at))}"
              y="11"
              text-anchor="middle"
              >${at === 0 ? 'same' : share(at)}</text
            ></g
          >`,
      ),
    ]),
    'axis-row',
  );

function changeRow(it: Changed, ticks: readonly number[], x: (value: number) => number): Markup {
  const { measure, change, from, to, target, verdict } = it;
  const [left, right] = [x(from), x(to)];
  return row(
    measure,
    plot({ height: HEIGHT, label: it.says, className: 'step' }, [
      ticks.map(
        (at) => html`<line class="grid" x1="${percent(x(at))}" x2="${percent(x(at))}" y1="0" y2="${HEIGHT}" />`,
      ),
      html`<g class="bar ${verdict === 'missed' ? 'move' : verdict === 'noise' ? 'phase' : 'work'}"
        ><title>${it.says}</title
        ><rect x="${percent(left)}" width="${percent(Math.max(0.002, right - left))}" y="6" height="12" rx="1.5"
      /></g>`,
      html`<svg class="point" x="${percent(x(change))}" y="12" overflow="visible"><circle r="3.6" /></svg>`,
      target !== undefined &&
        html`<line class="objective" x1="${percent(x(target))}" x2="${percent(x(target))}" y1="0" y2="${HEIGHT}" />`,
    ]),
  );
}
