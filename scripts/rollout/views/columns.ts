import { stripVTControlCharacters } from 'node:util';
import { wrap } from '../terminal.js';

/**
 * Rows under each other in columns, without lines between them. Where the terminal is too narrow the last column,
 * which holds the words, wraps; the others keep their values whole. A live view draws hundreds of rows a second:
 * general table libraries measure every cell again for every row, which took seconds for 200 shards.
 */
export function columns(
  rows: readonly (readonly string[])[],
  { width, indent = 0 }: { width: number; indent?: number },
): string[] {
  const count = Math.max(0, ...rows.map((row) => row.length));
  const sizes = Array.from({ length: count }, (_, i) => Math.max(0, ...rows.map((row) => visible(row[i] ?? ''))));
  const before = sizes.slice(0, -1).reduce((sum, size) => sum + size + gap, indent);
  const room = Math.max(12, width - before);
  return rows.flatMap((row) => {
    const cells = sizes.slice(0, -1).map((size, i) => pad(row[i] ?? '', size + gap));
    const [first = '', ...rest] = words(row[count - 1] ?? '', room);
    return [
      `${' '.repeat(indent)}${cells.join('')}${first}`.trimEnd(),
      ...rest.map((line) => ' '.repeat(before) + line),
    ];
  });
}

const gap = 2;

const visible = (text: string): number => stripVTControlCharacters(text).length;

const pad = (text: string, size: number): string => text + ' '.repeat(Math.max(0, size - visible(text)));

/** Colours are given up where a cell has to be broken: half of a style would colour the rest of the screen. */
const words = (text: string, room: number): string[] =>
  visible(text) <= room ? [text] : wrap(stripVTControlCharacters(text), room);
