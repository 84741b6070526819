import { html, Markup, type Content } from './html.js';

export interface Column {
  head: string;
  /** Right-aligned, in figures of equal width. */
  numeric?: boolean;
  /** Addresses, keys, directives: set in a fixed-width face and never broken inside a word needlessly. */
  code?: boolean;
}

/** A cell; `sort` is what the column is ordered by where the text won't do. */
export type Cell = Content | { content: Content; sort?: number; className?: string };

export interface TableOptions {
  caption: string;
  columns: readonly Column[];
  rows: readonly (readonly Cell[])[];
  /** Said instead of an empty table. */
  empty: string;
  /** A script lets it be ordered by its heads. */
  sortable?: boolean;
  /** Never folded: it is inside something that folds already. */
  unfolded?: boolean;
  /** Most rows shown; the rest is counted, and stands in the data. */
  most?: number;
}

const isCell = (cell: Cell): cell is { content: Content; sort?: number; className?: string } =>
  typeof cell === 'object' && 'content' in cell;

/** Rows that a page still shows at once; more are folded under the caption. */
const atOnce = 24;

/** On a narrow page each row becomes a block of `head: value` lines; the roles keep it a table for screen readers. */
export function table(options: TableOptions): Markup {
  const { caption, columns, rows, empty, sortable, most = 1000 } = options;
  if (rows.length === 0) return html`<p class="empty">${empty}</p>`;
  const head = columns.map(
    ({ head, numeric }) => html`<th scope="col" role="columnheader" ${numeric && html` class="numeric"`}>${head}</th>`,
  );
  const body = rows.slice(0, most).map(
    (row) =>
      html`<tr role="row">
        ${row.map((cell, i) => renderCell(cell, columns[i]))}
      </tr> `,
  );
  const whole = html`<table role="table" ${sortable && html` data-sortable`}>
      <caption>
        ${caption}
      </caption>
      <thead role="rowgroup">
        <tr role="row">
          ${head}
        </tr>
      </thead>
      <tbody role="rowgroup">
        ${body}
      </tbody>
    </table>
    ${rows.length > most && html`<p class="empty">${rows.length - most} more rows are in report.json.</p>`}`;
  if (rows.length <= atOnce || options.unfolded) return whole;
  const id = `rows-${caption
    .toLowerCase()
    .replace(/[^a-z]+/g, '-')
    .slice(0, 40)}`;
  return html`<details class="fold-out" id="${id}">
    <summary>${caption} (${rows.length} rows)</summary>
    ${whole}
  </details>`;
}

function renderCell(cell: Cell, column: Column | undefined): Markup {
  const { content, sort, className } = isCell(cell) ? cell : { content: cell, sort: undefined, className: undefined };
  const classes = [column?.numeric && 'numeric', column?.code && 'code', className].filter(Boolean).join(' ');
  return html`<td
    role="cell"
    data-head="${column?.head}"
    ${classes !== '' && html` class="${classes}"`}${sort !== undefined && html` data-sort="${sort}"`}
  >
    <div>${content}</div>
  </td>`;
}

export type Sign = 'good' | 'caution' | 'bad' | 'wait' | 'plain';

/** A word with a mark whose shape, not only its colour, says how it stands. */
export function sign(kind: Sign, word: string): Markup {
  return html`<span class="sign ${kind}">${marks[kind]}${word}</span>`;
}

const mark = (inside: string): Markup =>
  html`<svg class="mark" width="10" height="10" viewBox="0 0 10 10" aria-hidden="true">${new Markup([inside])}</svg>`;

const marks: Record<Sign, Markup> = {
  good: mark('<circle cx="5" cy="5" r="4.2"/>'),
  caution: mark('<path d="M5 .6 9.6 9.4H.4Z"/>'),
  bad: mark('<path d="M1.5 1.5 8.5 8.5M8.5 1.5 1.5 8.5" class="stroked"/>'),
  wait: mark('<circle cx="5" cy="5" r="3.6" class="stroked"/>'),
  plain: mark('<path d="M1 5H9" class="stroked"/>'),
};
