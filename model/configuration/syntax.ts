/** One line of redis.conf. What isn't a directive (comments, blank lines) is kept as it stands. */
export type ConfigurationLine =
  | { kind: 'directive'; directive: string; args: string[]; text: string }
  | { kind: 'other'; text: string }
  /** Unbalanced quotes: the server would refuse to start. */
  | { kind: 'broken'; text: string };

/** Reads redis.conf: directives in lower case, arguments unquoted. */
export function parseConfiguration(text: string): ConfigurationLine[] {
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === '') lines.pop();
  return lines.map((line) => {
    const trimmed = line.trim();
    if (trimmed === '' || trimmed.startsWith('#')) return { kind: 'other', text: line };
    const [directive, ...args] = splitArguments(trimmed) ?? [];
    if (directive === undefined) return { kind: 'broken', text: line };
    return { kind: 'directive', directive: directive.toLowerCase(), args, text: line };
  });
}

/** Writes one directive so that every release reads the same arguments back. */
export const formatDirective = (directive: string, args: readonly string[]): string =>
  [directive, ...args.map(quoteArgument)].join(' ');

/**
 * Quotes an argument where it has to be, as the server's sdscatrepr does. Text beyond ASCII is left as it is, since
 * the server reads quoted bytes unchanged.
 */
export function quoteArgument(argument: string): string {
  if (/^[^\s"'\\#\p{Cc}][^\s"'\\\p{Cc}]*$/u.test(argument)) return argument;
  const escaped = argument.replace(/["\\\p{Cc}]/gu, (character) => {
    const short = escapes.find(([, meaning]) => meaning === character)?.[0];
    if (short !== undefined) return `\\${short}`;
    if (character === '"' || character === '\\') return `\\${character}`;
    return [...new TextEncoder().encode(character)].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');
  });
  return `"${escaped}"`;
}

/**
 * Splits a line into arguments as the server's sdssplitargs does: "double quotes" with \n, \r, \t, \b, \a and \xHH,
 * 'single quotes' with \' only. Undefined where quotes don't balance or a closing quote is not followed by a space.
 */
export function splitArguments(line: string): string[] | undefined {
  const args: string[] = [];
  let at = 0;
  for (;;) {
    while (/\s/.test(line[at] ?? '')) at++;
    if (at >= line.length) return args;
    const argument = new Bytes();
    for (;;) {
      const character = line[at];
      if (character === undefined || /\s/.test(character)) break;
      if (character !== '"' && character !== "'") {
        argument.add(character);
        at++;
        continue;
      }
      const end = readQuoted(line, at, character, argument);
      if (end === undefined) return undefined;
      at = end;
    }
    args.push(argument.text());
  }
}

const escapes: readonly (readonly [string, string])[] = [
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ['b', '\b'],
  ['a', '\x07'],
];

function readQuoted(line: string, start: number, quote: '"' | "'", into: Bytes): number | undefined {
  let at = start + 1;
  for (;;) {
    const character = line[at];
    if (character === undefined) return undefined;
    if (character === quote) return /^\S/.test(line.slice(at + 1)) ? undefined : at + 1;
    const next = line[at + 1];
    if (character !== '\\' || next === undefined || (quote === "'" && next !== "'")) {
      into.add(character);
      at++;
      continue;
    }
    const hex = quote === '"' ? /^x([0-9a-fA-F]{2})/.exec(line.slice(at + 1, at + 4))?.[1] : undefined;
    if (hex !== undefined) into.addByte(parseInt(hex, 16));
    else into.add(quote === '"' ? (escapes.find(([name]) => name === next)?.[1] ?? next) : next);
    at += hex === undefined ? 2 : 4;
  }
}

/** Text and bytes mixed: servers write text beyond ASCII as \xHH, one byte at a time. */
class Bytes {
  readonly #parts: (string | number)[] = [];
  add(text: string): void {
    this.#parts.push(text);
  }
  addByte(byte: number): void {
    this.#parts.push(byte);
  }
  text(): string {
    let result = '';
    for (let i = 0; i < this.#parts.length; i++) {
      const part = this.#parts[i];
      if (typeof part === 'string') {
        result += part;
        continue;
      }
      const bytes: number[] = [];
      let byte: string | number | undefined = part;
      while (typeof byte === 'number') {
        bytes.push(byte);
        byte = this.#parts[++i];
      }
      i--;
      result += new TextDecoder().decode(Uint8Array.from(bytes));
    }
    return result;
  }
}
