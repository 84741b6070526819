import type { ProbeGap, ProbeSecond, ProbeSeries } from '../evidence.js';
import { causeAmong, isProbesOwn, nameEntry } from './cause-of.js';
import { html, type Content, type Markup } from './html.js';
import { handoverLines } from './node-lanes.js';
import { barClass, ground, percent, plot, row, spanTitle } from './plot.js';
import { clock, count, countOf, latency } from './quantities.js';
import type { ShardView } from './shard-view.js';
import { isWait } from './spans.js';
import { place, type TimeScale } from './time-scale.js';

/** Latencies and gaps share one logarithmic axis, ms, the same for every shard, so that charts compare by eye. */
export interface LatencyAxis {
  least: number;
  most: number;
}

export function latencyAxis(series: readonly ProbeSeries[]): LatencyAxis {
  const longest = series.reduce((most, s) => Math.max(most, s.latency.max, s.longestGap.ms), 10);
  return { least: 0.1, most: 10 ** Math.ceil(Math.log10(longest) + 0.001) };
}

const heightOf = ({ least, most }: LatencyAxis, ms: number, height: number): number => {
  const share = Math.log10(Math.max(ms, least) / least) / Math.log10(most / least);
  return Math.round((height - share * height) * 10) / 10;
};

const decades = ({ least, most }: LatencyAxis): number[] => {
  const all: number[] = [];
  for (let ms = least * 10; ms < most * 0.99; ms *= 10) all.push(Math.round(ms * 10) / 10);
  return all;
};

const unit = (ms: number): string => (ms >= 1000 ? `${ms / 1000} s` : `${ms} ms`);

function levels(axis: LatencyAxis, height: number): Content {
  return decades(axis).map((ms) => {
    const y = heightOf(axis, ms, height);
    return html`<line class="level" x1="0" x2="100%" y1="${y}" y2="${y}" />`;
  });
}

/** Drawn last: on a narrow page they stand inside the chart, over whatever is there. */
function levelNames(axis: LatencyAxis, height: number): Content {
  return decades(axis).map(
    (ms) => html`<text class="level-name" x="0" y="${heightOf(axis, ms, height)}">${unit(ms)}</text>`,
  );
}

/** What was done to the shard, as bands behind a chart: its phases, and darker where a node was down. */
function bands(view: ShardView, scale: TimeScale): Content {
  return view.spans
    .filter((span) => span.to > span.from && ['phase', 'swap'].includes(span.entry.kind) && !isWait(span))
    .map((span) => {
      const x = place(scale, span.from);
      const width = Math.max(0.001, place(scale, span.to) - x);
      return html`<rect class="band ${barClass(span)}" x="${percent(x)}" width="${percent(width)}" y="0" height="100%"
        ><title>${spanTitle(span)}</title></rect
      >`;
    });
}

const chartHeight = 78;
const wide = 1000;

/** p50, p99 and max of each second of one series, with failed operations below. */
function latencyChart(view: ShardView, series: ProbeSeries, scale: TimeScale, axis: LatencyAxis): Markup {
  const { operation, client, operations, failed, latency: all } = series;
  const seconds = series.seconds.filter((s) => s.ok > 0);
  const lines = seconds.length === 0 ? undefined : curves(seconds, scale, axis);
  const losses = series.seconds
    .filter((s) => s.failed > 0)
    .map(
      (s) =>
        html`<svg
          class="failed"
          x="${percent(place(scale, s.t * 1000 + 500))}"
          y="${chartHeight + 6}"
          overflow="visible"
        >
          <title>${countOf(s.failed, 'failed operation')}, ${clock(s.t * 1000)}</title>
          <path class="stroked" d="M-3 -3 3 3M3 -3 -3 3" />
        </svg>`,
    );
  const label = `${view.shard}, ${operation}s through ${client}: ${countOf(operations, 'operation')}, ${count(failed)} failed; p50 ${latency(all.p50)}, p99 ${latency(all.p99)}, longest ${latency(all.max)}`;
  const height = chartHeight + (losses.length > 0 ? 14 : 1);
  return row(
    html`<span class="series-name"
        >${operation}s <span class="muted">${client === 'raw' ? 'raw connection' : client}</span></span
      ><span class="numbers"
        ><span>p50 <b>${latency(all.p50)}</b></span> <span>p99 <b>${latency(all.p99)}</b></span>
        <span>max <b>${latency(all.max)}</b></span
        >${failed > 0 && html` <span class="bad-text">${count(failed)} failed</span>`}</span
      >`,
    plot({ height, label, className: 'latency', series: `${series.shard}|${operation}|${client}` }, [
      ground(scale),
      bands(view, scale),
      handoverLines(scale, view),
      levels(axis, chartHeight),
      lines ?? html`<text x="50%" y="40" text-anchor="middle">no operation was acknowledged</text>`,
      html`<line class="base" x1="0" x2="100%" y1="${chartHeight}" y2="${chartHeight}" />`,
      losses,
      levelNames(axis, chartHeight),
    ]),
    'latency-row',
  );
}

function curves(seconds: readonly ProbeSecond[], scale: TimeScale, axis: LatencyAxis): Markup {
  const xs = seconds.map((s) => Math.round(place(scale, s.t * 1000 + 500) * wide * 10) / 10);
  const line = (value: (s: ProbeSecond) => number): string =>
    seconds
      .map((s, i) => `${breaks(seconds, xs, i) ? 'M' : 'L'}${xs[i]} ${heightOf(axis, value(s), chartHeight)}`)
      .join('');
  // The max is an area down to the floor, piece by piece, so that a pause of the probe stays empty.
  const area = seconds
    .map((s, i) => {
      const top = `L${xs[i]} ${heightOf(axis, s.max, chartHeight)}`;
      const open = breaks(seconds, xs, i) ? `M${xs[i]} ${chartHeight}` : '';
      const close = i === seconds.length - 1 || breaks(seconds, xs, i + 1) ? `V${chartHeight}Z` : '';
      return open + top + close;
    })
    .join('');
  return html`<svg
    class="curves"
    viewBox="0 0 ${wide} ${chartHeight}"
    width="100%"
    height="${chartHeight}"
    preserveAspectRatio="none"
  >
    <path class="max" d="${area}" />
    <path class="p99" d="${line((s) => s.p99)}" />
    <path class="p50" d="${line((s) => s.p50)}" />
  </svg>`;
}

/** A line isn't drawn across time in which the probe measured nothing. */
function breaks(seconds: readonly ProbeSecond[], xs: readonly number[], i: number): boolean {
  const [a, b] = [seconds[i - 1], seconds[i]];
  if (!a || !b) return i === 0;
  return b.t - a.t - (a.span ?? 1) > 4 && (xs[i] ?? 0) - (xs[i - 1] ?? 0) > wide * 0.02;
}

const gapHeight = 64;

/**
 * The ten longest gaps of each series as stems, writes filled and reads hollow; the longest of all with its cause.
 * Below `usual` ms a gap is no more than the probe's own rhythm, and stands back.
 */
function gapChart(view: ShardView, scale: TimeScale, axis: LatencyAxis, usual: number): Markup {
  const gaps = view.series
    .flatMap((s) => s.gaps.map((gap) => ({ ...gap, shard: s.shard, operation: s.operation, client: s.client })))
    .sort((a, b) => a.ms - b.ms);
  const longest = view.writeGap ?? view.readGap;
  const cause = longest && causeAmong(longest, view.spans);
  const stems = gaps.map((gap) => {
    const x = percent(place(scale, gap.at));
    const y = heightOf(axis, gap.ms, gapHeight);
    const why = causeAmong(gap, view.spans);
    return html`<g class="gap ${gap.operation}${gap.ms < usual && ' usual'}"
      ><title>
        ${latency(gap.ms)} without an acknowledged ${gap.operation} (${gap.client}), ${clock(gap.at)}, during
        ${why ? nameEntry(why) : 'nothing that was recorded'}</title
      ><line x1="${x}" x2="${x}" y1="${gapHeight}" y2="${y}" /><circle cx="${x}" cy="${y}" r="3"
    /></g>`;
  });
  return row(
    html`<span class="series-name"
        >gaps <span class="muted"><span class="dot"></span> write <span class="dot hollow"></span> read</span></span
      >${longest && html`<span class="numbers">${gapSentence(longest, view)}</span>`}`,
    plot(
      {
        height: gapHeight + 2,
        className: 'gaps',
        label: `${view.shard}: the ${gaps.length} longest gaps; ${longest ? gapSentence(longest, view) : 'none was measured'}`,
      },
      [
        ground(scale),
        bands(view, scale),
        handoverLines(scale, view),
        levels(axis, gapHeight),
        stems,
        levelNames(axis, gapHeight),
        longest && annotation(longest, cause ? nameEntry(cause) : undefined, scale, axis),
        html`<line class="base" x1="0" x2="100%" y1="${gapHeight}" y2="${gapHeight}" />`,
      ],
    ),
    'gap-row',
  );
}

/** `longest write gap 57 ms at 09:14:31, during hand over … to …`. */
export function gapSentence(gap: ProbeGap & { shard: string }, view: ShardView): string {
  const cause = causeAmong(gap, view.spans);
  const what = view.writeGap ? 'write' : 'read';
  const own = isProbesOwn(gap, view.stalls) ? '; the probe’s own process stood still' : '';
  return `longest ${what} gap ${latency(gap.ms)} at ${clock(gap.at)}, ${cause ? `during ${nameEntry(cause)}` : 'while nothing was recorded'}${own}`;
}

function annotation(gap: ProbeGap, cause: string | undefined, scale: TimeScale, axis: LatencyAxis): Markup {
  const x = place(scale, gap.at);
  const toLeft = x > 0.5;
  const y = Math.max(11, heightOf(axis, gap.ms, gapHeight) + 4);
  const short = cause === undefined || cause.length <= 48 ? cause : `${cause.slice(0, 47)}…`;
  return html`<svg x="${percent(x)}" y="${y}" overflow="visible" class="annotation">
    <text x="${toLeft ? -8 : 8}" text-anchor="${toLeft ? 'end' : 'start'}">
      <tspan class="strong">${latency(gap.ms)}</tspan>
      <tspan class="why">${short}</tspan>
    </text>
  </svg>`;
}

const order = ['write|ioredis', 'write|raw', 'read|ioredis', 'read|raw'];

/** All of a shard's charts: its gaps (those below `usual` ms stand back), then latencies of writes and reads through both clients. */
export function clientCharts(view: ShardView, scale: TimeScale, axis: LatencyAxis, usual: number): Content {
  if (view.series.length === 0) return html`<p class="empty">The probe did not measure this shard.</p>`;
  const key = (s: ProbeSeries): number => order.indexOf(`${s.operation}|${s.client}`);
  const sorted = [...view.series].sort((a, b) => key(a) - key(b));
  return [gapChart(view, scale, axis, usual), sorted.map((series) => latencyChart(view, series, scale, axis))];
}
