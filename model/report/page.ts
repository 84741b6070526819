import { embedJson, html, Markup, type Content } from './html.js';
import { script, scriptHash } from './script.js';
import { style } from './style.js';

export interface Page {
  title: string;
  /** Above the page, beside the product's name: what it is about, and of which kind. */
  head: readonly string[];
  main: Content;
  footer: Content;
  /** What the page was made of, for machines: `script#report-data`. Its `status.workflowId` tells pages apart. */
  data: () => { status: { workflowId: string } };
  /** It renews itself every 5 s. */
  running?: boolean;
}

/** A whole page in one file that loads nothing; it can be read without JavaScript, and printed. */
export function pageOf({ title, head, main, footer, data, running = false }: Page): Markup {
  const page = html`<html lang="en">
    <head>
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <meta
        http-equiv="Content-Security-Policy"
        content="default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${scriptHash}'; base-uri 'none'; form-action 'none'"
      />
      <meta name="color-scheme" content="light dark" />
      ${running && html`<meta http-equiv="refresh" content="5" />`}
      <title>${title}</title>
      ${styleElement}
    </head>
    <body>
      <header class="page-head">
        <span class="product">redis-rollout</span> ${head.map((it) => html`<span>${it}</span> `)}
      </header>
      <main>${main}</main>
      <footer>
        <p>${footer}</p>
      </footer>
      <script type="application/json" id="report-data">
        ${() => embedJson(data())}
      </script>
      ${scriptElement}
    </body>
  </html>`;
  return new Markup(['<!doctype html>\n', () => page, '\n']);
}

/** Links to the sections of a page, by their ids. */
export const contentsOf = (sections: readonly (readonly [string, string])[]): Markup =>
  html`<nav aria-label="Contents">
    <ul>
      ${sections.map(([id, name]) => html`<li><a href="#${id}">${name}</a></li>`)}
    </ul>
  </nav>`;

// Not in the template: formatting the source must not change a byte of what the policy's hash covers.
const scriptElement = new Markup([`<script>${script}</script>`]);
const styleElement = new Markup([`<style>${style}</style>`]);
