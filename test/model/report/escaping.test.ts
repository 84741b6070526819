import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { embedJson, escapeHtml, html } from '../../../model/report/html.js';
import { renderReport } from '../../../model/report/render-report.js';
import { script, scriptHash } from '../../../model/report/script.js';
import { hostile, hostileReport } from './hostile.js';

describe('hostile text', () => {
  it('is text in an element and in an attribute', () => {
    expect(html`<p title="${hostile}">${hostile}</p>`.text).toBe(
      '<p title="&quot;&gt;&lt;img src=x onerror=&quot;window.owned=1&quot;&gt;&lt;/script&gt;&lt;!--">&quot;&gt;&lt;img src=x onerror=&quot;window.owned=1&quot;&gt;&lt;/script&gt;&lt;!--</p>',
    );
  });
  it('shows what can’t be seen: control characters, lone halves, marks that turn the reading direction', () => {
    expect(escapeHtml('a\u0000b\u001b[0m\u202e\ud800c')).toBe('a\\x00b\\x1b[0m\\u202e\\ud800c');
    expect(escapeHtml('ключ 鍵 👍')).toBe('ключ 鍵 👍');
  });
  it('cannot end the embedded data, which still parses to the same', () => {
    const value = { comment: hostile, line: '\u2028\u2029', key: '\u0000\ud800' };
    const { text } = embedJson(value);
    expect(text).not.toMatch(/[<>&\u2028\u2029]/);
    expect(JSON.parse(text)).toEqual(value);
  });
  it('is whole where a block ends between the halves of a character', () => {
    // One of the two has a pair across the boundary, wherever that is.
    for (const value of ['👍'.repeat(100_000), `a${'👍'.repeat(100_000)}`]) {
      const blocks = [...embedJson(value).blocks()];
      expect(blocks.length).toBeGreaterThan(1);
      expect(JSON.parse(Buffer.concat(blocks.map((block) => Buffer.from(block))).toString())).toBe(value);
    }
  });
  it('never reaches the page as markup, wherever it comes from', () => {
    const page = renderReport(hostileReport());
    expect(page).not.toContain('<img');
    expect(page.match(/<script/g)).toHaveLength(2);
    expect(page.match(/<\/script>/g)).toHaveLength(2);
    expect(page.split('&lt;img').length).toBeGreaterThan(20);
  });
});

describe('the page’s policy', () => {
  it('lets just its own script run', () => {
    expect(scriptHash, 'put this into model/report/script.ts').toBe(
      createHash('sha256').update(script).digest('base64'),
    );
    expect(renderReport(hostileReport())).toContain(`<script>${script}</script>`);
  });
  it('names nothing that would be loaded', () => {
    const page = renderReport(hostileReport()).replaceAll(/<script type="application\/json".*?<\/script>/gs, '');
    expect(page).not.toMatch(/\b(src|href)="(?!#)|url\((?!#)|@import|https?:\/\//);
  });
});
