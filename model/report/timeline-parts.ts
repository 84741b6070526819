import { nameEntry } from './cause-of.js';
import { html, type Markup } from './html.js';
import { bars, ground, moments, plot, row } from './plot.js';
import type { Span } from './spans.js';
import type { TimeScale } from './time-scale.js';

/** The operation as a whole: its phases and waits, and where people put their hand in. */
export function operationLane(spans: readonly Span[], scale: TimeScale): Markup {
  const own = spans.filter(({ entry }) => entry.shard === undefined);
  const lasting = own.filter((span) => span.to > span.from);
  const marked = own.map((span) => span.entry).filter((entry) => entry.kind === 'control' || entry.kind === 'failure');
  return row(
    html`<strong>operation</strong>`,
    plot(
      {
        height: 36,
        label: `The operation: ${lasting.map((span) => nameEntry(span.entry)).join(', ') || 'nothing has been recorded yet'}`,
        className: 'lane',
      },
      [ground(scale), bars(scale, lasting, { y: 13, height: 18, named: true }), moments(scale, marked, 6)],
    ),
    'operation-row',
  );
}

const swatch = (inside: string, text: string): Markup => html`<li>${patterns[inside]}${text}</li>`;

const bar = (kind: string): Markup =>
  html`<svg width="22" height="12" aria-hidden="true">
    <g class="bar ${kind}"><rect x="0" y="1" width="22" height="10" rx="1.5" /></g>
  </svg>`;

const patterns: Record<string, Markup> = {
  work: bar('work'),
  swap: bar('swap'),
  wait: bar('wait'),
  people: bar('wait people'),
  handover: html`<svg width="8" height="12" aria-hidden="true">
    <g class="handover"><line x1="4" x2="4" y1="0" y2="12" /></g>
  </svg>`,
  fold: html`<svg width="22" height="12" aria-hidden="true">
    <rect class="fold" x="0.5" y="0.5" width="21" height="11" />
  </svg>`,
  person: html`<svg width="12" height="12" aria-hidden="true">
    <svg class="moment" x="6" y="6" overflow="visible"><path d="M0 5 -4.5 -3H4.5Z" /></svg>
  </svg>`,
  primary: html`<svg width="22" height="12" aria-hidden="true">
    <line class="track primary" x1="0" x2="11" y1="6" y2="6" />
    <line class="track primary upgraded" x1="11" x2="22" y1="6" y2="6" />
  </svg>`,
  replica: html`<svg width="22" height="12" aria-hidden="true">
    <line class="track replica" x1="0" x2="11" y1="6" y2="6" />
    <line class="track replica upgraded" x1="11" x2="22" y1="6" y2="6" />
  </svg>`,
};

/**
 * Patterns that the hatched bars use, and what each mark means.
 *
 * @param moves what a vertical line is; left out where there are no nodes to be seen
 */
export const legend = (moves?: string): Markup =>
  html`<svg width="0" height="0" class="patterns" aria-hidden="true" focusable="false">
      <defs>
        <pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
          <line class="hatch-line" x1="0" x2="0" y1="0" y2="6" />
        </pattern>
        <pattern id="hatch-people" width="5" height="5" patternUnits="userSpaceOnUse">
          <circle class="hatch-dot" cx="2.5" cy="2.5" r="1.1" />
        </pattern>
      </defs>
    </svg>
    <ul class="legend" aria-label="Marks of the timeline">
      ${swatch('work', 'a step')} ${moves !== undefined && swatch('swap', 'the node is down')}
      ${swatch('wait', moves === undefined ? 'a pause' : 'a gate or a soak')} ${swatch('people', 'waits for people')}
      ${moves !== undefined && swatch('handover', moves)} ${swatch('fold', 'a long wait, drawn narrower')}
      ${swatch('person', 'a person stepped in')}
      ${moves !== undefined && [swatch('primary', 'primary, before and after its upgrade'), ' ', swatch('replica', 'replica, before and after')]}
    </ul>`;
