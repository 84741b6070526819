import type { TimelineEntry } from '../operation.js';
import { formatDuration } from '../duration.js';
import { nameEntry } from './cause-of.js';
import { html, type Content, type Markup } from './html.js';
import { clock, countOf, day } from './quantities.js';
import { isWait, isWork, nameOf, type Span } from './spans.js';
import { place, ticksOf, type TimeScale } from './time-scale.js';

/** Horizontal place in percent: a plot is as wide as the page lets it be, and its text keeps its size. */
export const percent = (x: number): string => `${(x * 100).toFixed(2)}%`;

/** One line of a chart: what it is on the left (above it, on a narrow page), the plot on the right. */
export function row(label: Content, plot: Markup, className = ''): Markup {
  return html`<div class="row ${className}">
    <div class="label">${label}</div>
    <div class="field">${plot}</div>
  </div> `;
}

export interface PlotOptions {
  height: number;
  /** What a screen reader says instead of the drawing. */
  label: string;
  className?: string;
  /** Names the series for the readout. */
  series?: string;
}

export function plot({ height, label, className = '', series }: PlotOptions, content: Content): Markup {
  return html`<svg
    class="plot ${className}"
    width="100%"
    height="${height}"
    role="img"
    aria-label="${label}"
    ${series !== undefined && html` data-series="${series}"`}
  >
    ${content}
  </svg>`;
}

/** The axis above a group of rows: UTC times, and how long each folded wait really was. */
export function axis(scale: TimeScale): Markup {
  const ticks = ticksOf(scale).map(
    ({ x, text }, i) =>
      html`<g class="tick${i % 2 === 1 && ' odd'}"
        ><line x1="${percent(x)}" x2="${percent(x)}" y1="15" y2="20" /><text
          x="${percent(x)}"
          y="11"
          text-anchor="${anchor(x)}"
          >${text}</text
        ></g
      >`,
  );
  const folds = scale.folds.map(
    ({ x, width, text }) =>
      html`<g class="fold-name"
        ><title>${text} of waiting, drawn narrower than it was</title
        ><text x="${percent(x + width / 2)}" y="31" text-anchor="${anchor(x + width / 2)}">${text}</text></g
      >`,
  );
  const height = scale.folds.length > 0 ? 36 : 20;
  const edge = (at: number): string => (day(scale.from) === day(scale.to) ? clock(at) : `${day(at)}, ${clock(at)}`);
  const label = `Time axis, UTC, ${edge(scale.from)} to ${edge(scale.to)}${
    scale.folds.length > 0 ? `; ${countOf(scale.folds.length, 'long wait is', 'long waits are')} drawn narrower` : ''
  }`;
  return row(
    html`<span class="unit">UTC</span>`,
    plot({ height, label, className: 'axis' }, [ticks, folds]),
    'axis-row',
  );
}

const anchor = (x: number): string => (x < 0.06 ? 'start' : x > 0.94 ? 'end' : 'middle');

/** Folded stretches and round times, behind everything else. */
export function ground(scale: TimeScale): Content {
  return [
    scale.folds.map(
      ({ x, width }) => html`<rect class="fold" x="${percent(x)}" width="${percent(width)}" y="0" height="100%" />`,
    ),
    ticksOf(scale).map(
      ({ x }, i) =>
        html`<line class="grid${i % 2 === 1 && ' odd'}" x1="${percent(x)}" x2="${percent(x)}" y1="0" y2="100%" />`,
    ),
  ];
}

export interface BarOptions {
  y: number;
  height: number;
  /** Writes the name into bars that have room for it. */
  named?: boolean;
}

const short: Record<string, string> = {
  'upgrading replica': 'replica',
  'upgrading old primary': 'old primary',
  'handing over': 'handover',
  'awaiting approval': 'approval',
};

// Share of a wide page's plot that a letter takes; a narrow page leaves the names out.
const letter = 0.0078;

/** The name, or a shorter one, that a bar of this width has room for. */
function fitting(text: string, width: number): string | undefined {
  return [text, short[text]].find((name) => name !== undefined && (name.length + 2) * letter < width);
}

/** Spans as bars: work filled, a node that is down darker, waits hatched. Each tells name, time and length on hover. */
export function bars(scale: TimeScale, spans: readonly Span[], { y, height, named = false }: BarOptions): Content {
  return spans.map((span) => {
    const [x, end] = [place(scale, span.from), place(scale, span.to)];
    const name = named && height >= 14 && fitting(nameOf(span.entry), end - x);
    return html`<g class="bar ${barClass(span)}"
      ><title>${spanTitle(span)}</title
      ><rect x="${percent(x)}" width="${percent(Math.max(0.0015, end - x))}" y="${y}" height="${height}" rx="1.5" />${
        name !== false &&
        name !== undefined &&
        html`<svg class="bar-name" x="${percent(x)}" width="${percent(end - x)}" y="${y}" height="${height}">
          <text x="6" y="${height / 2 + 4}">${name}</text>
        </svg>`
      }</g
    >`;
  });
}

export function barClass(span: Span): string {
  if (isWait(span))
    return span.entry.kind === 'approval' || nameOf(span.entry) === 'awaiting approval' ? 'wait people' : 'wait';
  if (span.entry.kind === 'swap') return 'swap';
  if (span.entry.kind === 'handover') return 'move';
  return isWork(span) ? 'work' : 'phase';
}

/** `rejoin (10.0.0.5:6379), 09:14:03, 1.2 s`. */
export function spanTitle({ entry, from, to, open }: Span): string {
  const length = open
    ? entry.kind === 'phase'
      ? 'still going on'
      : 'end not recorded'
    : to > from
      ? formatDuration(to - from)
      : '';
  const what = entry.kind === 'phase' ? entry.text : nameEntry(entry);
  return [what, clock(from), length].filter((part) => part !== '').join(', ');
}

/** Moments that bear on everything: a person's hand, or a failure. */
export function moments(scale: TimeScale, entries: readonly TimelineEntry[], y: number): Content {
  return entries.map((entry) => {
    const at = Date.parse(entry.at);
    const title = html`<title>${nameEntry(entry)}, ${clock(at)}</title>`;
    // A nested svg moves with the page's width; its content keeps its shape.
    return html`<svg class="moment ${entry.kind}" x="${percent(place(scale, at))}" y="${y}" overflow="visible">
      ${title}${
        entry.kind === 'failure'
          ? html`<path class="stroked" d="M-4 -4 4 4M4 -4 -4 4" />`
          : html`<path d="M0 5 -4.5 -3H4.5Z" />`
      }
    </svg>`;
  });
}
