import { styleText, stripVTControlCharacters } from 'node:util';

type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';
/** Styles a text, or leaves it as it is where colours are not wanted. */
export type Paint = (style: Style, text: string) => string;

/** Colours only on a terminal that wants them: https://no-color.org. FORCE_COLOR is for captures. */
export function painter(stream: { isTTY?: boolean }, environment: NodeJS.ProcessEnv = process.env): Paint {
  const forced = environment['FORCE_COLOR'];
  const wanted =
    !environment['NO_COLOR'] &&
    (forced !== undefined && forced !== '0' ? true : stream.isTTY === true && environment['TERM'] !== 'dumb');
  return wanted ? (style, text) => (text === '' ? '' : styleText(style, text)) : (_, text) => text;
}

/** Columns of the terminal; in a pipe wide enough to be searched line by line. */
export const widthOf = (stream: { columns?: number }): number => Math.max(30, stream.columns ?? 120);

/** Lines of at most `width` columns, broken between words, those after the first indented. */
export function wrap(text: string, width: number, indent = ''): string[] {
  const lines: string[] = [];
  let line = /^ */.exec(text)?.[0] ?? '';
  for (const word of text.trim().split(/ +/)) {
    if (line.trim() !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = `${indent}${word}`;
    } else line = line.trim() === '' ? line + word : `${line} ${word}`;
  }
  return [...lines, line];
}

/** At most `width` columns of a line that may hold colours; the styles stay closed. */
export function clip(line: string, width: number): string {
  if (stripVTControlCharacters(line).length <= width) return line;
  let room = width - 1;
  let clipped = '';
  // eslint-disable-next-line no-control-regex -- escape sequences are what is looked for
  for (const [part] of line.matchAll(/\u001b\[[\d;]*m|[^\u001b]/g)) {
    if (part.startsWith('\u001b')) clipped += part;
    else if (room > 0) {
      clipped += part;
      room -= 1;
      if (room === 0) clipped += '…';
    }
  }
  return clipped;
}

/** What a command answers: text for people, or one JSON document. */
export function print(lines: readonly string[] | string): void {
  process.stdout.write(`${typeof lines === 'string' ? lines : lines.join('\n')}\n`);
}

/** What is said beside the answer, so that a pipe gets the answer alone. */
export function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

/** One document a line, for `jq` and the like. */
export function printJsonLine(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}
