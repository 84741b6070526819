import { html, type Content, type Markup } from './html.js';

/** One number that is asked for first, with what there is to say of it. */
export interface Figure {
  name: string;
  value: string;
  note?: Content;
  tone?: 'good' | 'bad' | 'unknown';
}

/** What was not measured is said so. @param why as a sentence goes on */
export const unknownFigure = (name: string, why: string): Figure => ({
  ...{ name, value: 'not measured', note: why, tone: 'unknown' },
});

export function figuresSection(figures: readonly Figure[], remark?: Content): Markup {
  return html`<section aria-labelledby="figures">
    <h2 id="figures">Key figures</h2>
    <dl class="figures">
      ${figures.map(
        ({ name, value, note, tone }) =>
          html`<div${tone !== undefined && html` class="${tone}"`}><dt>${name}</dt><dd><span class="value">${value}</span><span class="note">${note}</span></dd></div>`,
      )}
    </dl>
    ${remark !== undefined && remark !== false && html`<p class="remark">${remark}</p>`}
  </section> `;
}
