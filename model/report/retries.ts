import { formatDuration } from '../duration.js';
import type { ReportData } from '../report.js';
import { html, type Markup } from './html.js';
import { section, when } from './people-and-gates.js';
import { countOf } from './quantities.js';
import { table } from './table.js';

/** What the workflows themselves never hear of: that something was asked for once, and tried several times. */
export function retriesSection({ retries: { activities, more } }: ReportData): Markup {
  return section('retries', 'Retries', [
    table({
      caption: 'What came to its end only after more than one attempt',
      empty: 'Whatever has come to its end did so at the first attempt.',
      sortable: true,
      columns: [
        { head: 'Asked for' },
        { head: 'Took', numeric: true },
        { head: 'What' },
        { head: 'Attempts', numeric: true },
        { head: 'Why the last was needed' },
      ],
      rows: activities.map(({ activity, what, attempts, since, until, failure: { type, message } }) => {
        const took = Date.parse(until) - Date.parse(since);
        return [
          { content: when(since), sort: Date.parse(since) },
          { content: formatDuration(took), sort: took },
          [what, html`<br /><span class="muted small">${activity}</span>`],
          { content: `${attempts}`, sort: attempts },
          type === undefined ? message : [html`<strong>${type}</strong>: `, message],
        ];
      }),
    }),
    more > 0 && html`<p class="empty">${countOf(more, 'other')} needed as many attempts, or fewer.</p>`,
  ]);
}
