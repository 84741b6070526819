import { atLeast } from '../../model/release.js';
import { CommandParser } from './command-parser.js';

/**
 * Passes on a stream that is applied later than it was made. Up to 6.x durations travel as such (EXPIRE, SETEX, SET … EX,
 * RESTORE without ABSTTL) and count from when they are applied: applied an hour later, a key would live an hour longer. They
 * become points in time, counted from when they arrived, in words that every release since 5.0 knows. From 7.0 on nothing
 * has to be changed: points in time travel.
 *
 * @param offset where the stream begins: no command is under way there
 */
export class Durations {
  readonly #parser: CommandParser;

  constructor(offset: number) {
    this.#parser = new CommandParser(offset);
  }

  static travelIn(release: string): boolean {
    return !atLeast(release, 7, 0);
  }

  /** The commands that end in this chunk, as they are to be applied; those of a release from 7.0 on stay as they are. */
  settle(chunk: Buffer, { arrivedAt, release }: { arrivedAt: number; release: string }): Buffer {
    const travel = Durations.travelIn(release);
    return Buffer.concat(
      this.#parser
        .push(chunk)
        .flatMap(({ args }) => (travel ? absolute(args, arrivedAt) : undefined) ?? [args])
        .map((command) => encoded(command)),
    );
  }
}

type Word = Buffer | string;

/** What a command with a duration means, said with points in time; undefined of any other. */
export function absolute(args: readonly Buffer[], now: number): Word[][] | undefined {
  const [name = Buffer.alloc(0), key, ...rest] = args;
  if (key === undefined || name.length > 7) return undefined;
  const [first, second] = rest;
  switch (name.toString('latin1').toUpperCase()) {
    case 'EXPIRE':
      return first && [['PEXPIREAT', key, moment(first, 1000, now)]];
    case 'PEXPIRE':
      return first && [['PEXPIREAT', key, moment(first, 1, now)]];
    case 'SETEX':
      return first && second && setUntil(key, second, moment(first, 1000, now));
    case 'PSETEX':
      return first && second && setUntil(key, second, moment(first, 1, now));
    case 'SET': {
      const at = rest.findIndex((word, i) => i > 0 && /^[ep]x$/i.test(word.toString('latin1', 0, 4)));
      const number = rest[at + 1];
      if (at < 0 || first === undefined || number === undefined) return undefined;
      return setUntil(key, first, moment(number, /^e/i.test(rest[at]?.toString('latin1', 0, 1) ?? '') ? 1000 : 1, now));
    }
    case 'RESTORE': {
      const options = rest.slice(2);
      const isAbsolute = options.some((word) => /^absttl$/i.test(word.toString('latin1', 0, 8)));
      if (first === undefined || second === undefined || isAbsolute || first.toString('latin1') === '0')
        return undefined;
      return [['RESTORE', key, moment(first, 1, now), second, ...options, 'ABSTTL']];
    }
    default:
      return undefined;
  }
}

/** Its conditions were met, or it would not have been sent. */
const setUntil = (key: Buffer, value: Buffer, at: string): Word[][] => [
  ['SET', key, value],
  ['PEXPIREAT', key, at],
];

const moment = (duration: Buffer, by: number, now: number): string =>
  String(BigInt(duration.toString('latin1')) * BigInt(by) + BigInt(now));

function encoded(words: readonly Word[]): Buffer {
  const pieces: Buffer[] = [Buffer.from(`*${words.length}\r\n`)];
  for (const word of words) {
    const bytes = typeof word === 'string' ? Buffer.from(word) : word;
    pieces.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n'));
  }
  return Buffer.concat(pieces);
}
