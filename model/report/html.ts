/** Characters in a block of a page, about. */
const BLOCK = 65_536;

/** Text, or what is only rendered when it is written. */
type Block = string | (() => Markup);

/**
 * Text that is HTML already; everything else that reaches a page is escaped. In blocks, to be written one after the
 * other: a page of a thousand nodes has 14 MB, and more than once in memory where it is one string.
 */
export class Markup {
  readonly #blocks: readonly Block[];

  constructor(blocks: readonly Block[]) {
    this.#blocks = blocks;
  }

  get text(): string {
    return [...this.blocks()].join('');
  }

  *blocks(): Generator<string> {
    for (const block of this.#blocks)
      if (typeof block === 'string') yield block;
      else yield* block().blocks();
  }

  appendTo(blocks: Block[]): void {
    for (const block of this.#blocks) append(block, blocks);
  }
}

export type Content = Markup | (() => Markup) | string | number | false | undefined | readonly Content[];

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

function append(block: Block, blocks: Block[]): void {
  const last = blocks.at(-1);
  // A string that grows by `+` is not copied until it is read.
  if (typeof block === 'string' && typeof last === 'string' && last.length < BLOCK)
    blocks[blocks.length - 1] = last + block;
  else blocks.push(block);
}

function render(content: Content, blocks: Block[]): void {
  if (content === undefined || content === false) return;
  if (content instanceof Markup) content.appendTo(blocks);
  else if (typeof content === 'function') append(content, blocks);
  else if (typeof content === 'object') for (const it of content) render(it, blocks);
  else append(escapeHtml(String(content)), blocks);
}

/**
 * Template of HTML or SVG: every value is escaped, but for other templates; `undefined` and `false` are nothing. A function
 * is called each time that the page is written.
 */
export function html(strings: TemplateStringsArray, ...values: Content[]): Markup {
  const blocks: Block[] = [];
  unindented(strings).forEach((text, i) => {
    append(text, blocks);
    render(values[i], blocks);
  });
  return new Markup(blocks);
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
  const text = JSON.stringify(value);
  const blocks: string[] = [];
  for (let at = 0; at < text.length; at += BLOCK)
    blocks.push(
      text
        .slice(at, at + BLOCK)
        // A surrogate as well: a block may end between the two of a pair.
        .replace(
          /[<>&\u2028\u2029\ud800-\udfff]/g,
          (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
        ),
    );
  return new Markup(blocks);
}
