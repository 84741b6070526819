import type { CutoverRecord, HandoverRecord } from '../evidence.js';
import { nameEntry } from './cause-of.js';
import { formatDuration } from '../duration.js';
import { html, type Content, type Markup } from './html.js';
import { bars, ground, moments, percent, plot, row } from './plot.js';
import { clock, countOf, latency } from './quantities.js';
import type { ShardView } from './shard-view.js';
import { place, type TimeScale } from './time-scale.js';

/** A vertical line through every row of a shard at the time of each handover and each cutover. */
export function handoverLines(scale: TimeScale, { handovers, cutovers }: ShardView): Content {
  return [...handovers, ...cutovers].map((move) => {
    const x = percent(place(scale, Date.parse(move.at)));
    return html`<g class="handover"
      ><title>${'mode' in move ? handoverTitle(move) : cutoverTitle(move)}</title
      ><line x1="${x}" x2="${x}" y1="0" y2="100%"
    /></g>`;
  });
}

const cutoverTitle = ({ from, to, at, gapMs, already }: CutoverRecord): string =>
  `cutover from ${from} to the standby ${to}, ${clock(Date.parse(at))}${already ? '' : `, writes held for ${latency(gapMs)}`}`;

export function handoverTitle({ from, to, at, ms, mode }: HandoverRecord): string {
  return `handover (${mode}) from ${from} to ${to}, ${clock(Date.parse(at))}, ${formatDuration(ms)}`;
}

/** What the shard as a whole was doing: phases by name, waits hatched, handovers and failures marked. */
export function shardLane(view: ShardView, scale: TimeScale): Markup {
  const spans = view.spans.filter(
    (span) => span.to > span.from && (span.entry.kind === 'phase' || span.entry.node === undefined),
  );
  const label = `${view.shard}: ${spans.map((span) => nameEntry(span.entry)).join(', ') || 'nothing was done yet'}`;
  const marked = view.spans.map((span) => span.entry).filter((e) => e.kind === 'failure' || e.kind === 'control');
  return row(
    html`<strong>${view.shard}</strong>`,
    plot({ height: 30, label, className: 'lane' }, [
      ground(scale),
      bars(scale, spans, { y: 8, height: 18, named: true }),
      handoverLines(scale, view),
      moments(scale, marked, 4),
    ]),
    'shard-lane',
  );
}

/** One line a node: thick while it is primary, of the accent colour from when it runs the new version. */
export function nodeLanes(view: ShardView, scale: TimeScale): Content {
  return view.nodes.map((node) => {
    const spans = view.spans.filter(({ entry }) => entry.node === node.address && entry.kind !== 'phase');
    const lasting = spans.filter((span) => span.to > span.from);
    const failed = spans.map((span) => span.entry).filter((entry) => entry.kind === 'failure');
    const track = node.stretches.map(
      ({ from, to, role, upgraded }) =>
        html`<line
          class="track ${role}${upgraded && ' upgraded'}"
          x1="${percent(place(scale, from))}"
          x2="${percent(place(scale, to))}"
          y1="12"
          y2="12"
          ><title>${role}, ${upgraded ? node.newer : node.older}</title></line
        >`,
    );
    const label = `${node.address}: ${lasting.map((span) => nameEntry(span.entry)).join(', ') || 'untouched'}`;
    return row(
      html`<span class="code">${node.address}</span> <span class="muted">${node.role}</span>`,
      plot({ height: 24, label, className: 'lane node-lane' }, [
        ground(scale),
        track,
        bars(scale, lasting, { y: 5, height: 14, named: true }),
        handoverLines(scale, view),
        moments(scale, failed, 12),
      ]),
      'node-row',
    );
  });
}

/** More shards than can each have their own lanes: one thin line a shard, so that a wave, or one that hangs, is seen. */
export function shardStaircase(views: readonly ShardView[], scale: TimeScale): Markup {
  const each = Math.max(4, Math.min(12, Math.floor(900 / views.length)));
  const lines = views.map((view, i) => {
    const spans = view.spans.filter((span) => span.to > span.from && span.entry.kind === 'phase');
    const y = i * each;
    const ticks = view.handovers.map((handover) => {
      const x = percent(place(scale, Date.parse(handover.at)));
      return html`<line class="handover-tick" x1="${x}" x2="${x}" y1="${y}" y2="${y + each - 1}"
        ><title>${view.shard}: ${handoverTitle(handover)}</title></line
      >`;
    });
    const failed = view.spans.map((span) => span.entry).filter((entry) => entry.kind === 'failure');
    return html`<g
      ><title>${view.shard}: ${view.state}</title
      >${bars(scale, spans, { y, height: each - 1 })}${ticks}${moments(scale, failed, y + each / 2)}</g
    >`;
  });
  const handovers = views.reduce((sum, view) => sum + view.handovers.length, 0);
  return row(
    html`<strong>${countOf(views.length, 'shard')}</strong>
      <span class="muted">one line each, in the order of their work; a tick is a handover</span>`,
    plot(
      {
        height: views.length * each,
        label: `One line for each of ${views.length} shards, with ${countOf(handovers, 'handover')}`,
        className: 'staircase',
      },
      [ground(scale), lines],
    ),
    'staircase-row',
  );
}
