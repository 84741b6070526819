import { html, showUnseen, type Markup } from '../report/html.js';
import type { AssessmentDocument } from './document.js';
import { sectionsOf, type Block } from './sections.js';

const titleOf = ({ deployment, to }: AssessmentDocument): string => `Assessment of ${deployment}: upgrade to ${to}`;

/** For a change request that takes Markdown. */
export function renderMarkdown(document: AssessmentDocument): string {
  const cell = (text: string): string => showUnseen(text).replace(/[\\|]/g, '\\$&').replaceAll('<', '&lt;');
  const block = (it: Block): string =>
    'text' in it
      ? cell(it.text)
      : [it.head, it.head.map(() => '---'), ...it.rows.map((row) => row.map(cell))]
          .map((row) => `| ${row.join(' | ')} |`)
          .join('\n');
  const sections = sectionsOf(document).map(({ title, blocks }) => [`## ${title}`, ...blocks.map(block)].join('\n\n'));
  return `${[`# ${titleOf(document)}`, ...sections].join('\n\n')}\n`;
}

/** One page that needs nothing from elsewhere. */
export function renderPage(document: AssessmentDocument): Markup {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${titleOf(document)}</title>
        <style>
          ${style}
        </style>
      </head>
      <body>
        <h1>${titleOf(document)}</h1>
        ${sectionsOf(document).map(
          ({ title, blocks }) =>
            html`<section>
              <h2>${title}</h2>
              ${blocks.map(pageBlock)}
            </section>`,
        )}
      </body>
    </html>`;
}

function pageBlock(block: Block): Markup {
  if ('text' in block) return html`<p>${block.text}</p>`;
  return html`<div class="wide">
    <table>
      <thead>
        <tr>
          ${block.head.map((it) => html`<th>${it}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${block.rows.map(
          (row) =>
            html`<tr>
              ${row.map(pageCell)}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

const severity = new Set(['blocker', 'action', 'note']);

function pageCell(text: string): Markup {
  if (severity.has(text)) return html`<td><span class="${text}">${text}</span></td>`;
  return text.startsWith('https://') ? html`<td><a href="${text}">${text}</a></td>` : html`<td>${text}</td>`;
}

const style = `
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { margin: 2rem auto; padding: 0 1rem; max-width: 78rem; }
h2 { margin-top: 2.5rem; border-bottom: 1px solid #8886; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0; }
th, td { text-align: left; vertical-align: top; padding: .35rem .7rem; border-bottom: 1px solid #8884; overflow-wrap: anywhere; min-width: 4rem; }
th { font-weight: 600; }
.blocker, .action, .note { padding: .1rem .5rem; border-radius: .3rem; color: #fff; }
.blocker { background: #b3261e; } .action { background: #9a6700; } .note { background: #57606a; }
@media print { .wide { overflow: visible; } body { max-width: none; } }
`;
