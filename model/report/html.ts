/** Text that is HTML already. Everything else that reaches a page is escaped. */
export class Markup {
  constructor(readonly text: string) {}
}

export type Content = Markup | string | number | false | undefined | readonly Content[];

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

// Keys are bytes: control characters, lone surrogates and the marks that reverse the reading direction would vanish
// or mislead, so they are shown as their codes.
const unseen =
  // eslint-disable-next-line no-control-regex
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** Characters that can't be seen as `\x00` or `\u202e`; everything else as it is. */
export function showUnseen(text: string): string {
  return text.replace(unseen, (character) => {
    const code = character.charCodeAt(0);
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

/** For element content and quoted attributes alike. */
export function escapeHtml(text: string): string {
  return showUnseen(text).replace(/[&<>"']/g, (character) => entities[character] ?? character);
}

function render(content: Content): string {
  if (content === undefined || content === false) return '';
  if (content instanceof Markup) return content.text;
  if (typeof content === 'object') return content.map(render).join('');
  return escapeHtml(String(content));
}

/** Template of HTML or SVG: every value is escaped, but for other templates; `undefined` and `false` are nothing. */
export function html(strings: TemplateStringsArray, ...values: Content[]): Markup {
  return new Markup(String.raw({ raw: unindented(strings) }, ...values.map(render)));
}

const known = new WeakMap<TemplateStringsArray, string[]>();

// Indentation of the source is nothing to a page, and a third of a large one.
function unindented(strings: TemplateStringsArray): string[] {
  const there = known.get(strings);
  if (there) return there;
  const plain = strings.map((text) => text.replace(/\s*\n\s*/g, '\n'));
  known.set(strings, plain);
  return plain;
}

/**
 * JSON for `<script type="application/json">`, as HTML-safe as JSON can be: `<`, `>` and `&` are written as `\u003c` …,
 * so that neither `</script>` nor `<!--` in a comment or a key ends the element; parsing gives the same value.
 */
export function embedJson(value: unknown): Markup {
  const text = JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return new Markup(text);
}
