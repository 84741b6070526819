import { knowsSince } from '../../../model/compatibility/knows-since.js';
import { allKeys, bytesOf, pick, randomCommands, type Draw } from '../rewrite/random-commands.js';

type Word = string | number | Buffer;
type Command = Word[];

/** Databases that are written to, outside of a cluster. */
export const databases = [0, 3, 9];

const script = `
local at = 1
while at <= #ARGV do
  local size = tonumber(ARGV[at])
  redis.pcall(unpack(ARGV, at + 1, at + size))
  at = at + size + 1
end`;

const any = (draw: Draw): Buffer => bytesOf(allKeys[draw(allKeys.length)] ?? '');
const key = (draw: Draw, kind: string): Buffer =>
  bytesOf(pick(draw, ...allKeys.filter((it) => it.startsWith(`${kind}:`))));
const database = (draw: Draw): number => pick(draw, ...databases);
const library = (name: string, n: number): string =>
  `#!lua name=${name}\nredis.register_function('${name}', function() return ${n} end)`;

type Makers = readonly [since: string, make: (draw: Draw) => Command][];

/** What reaches into another database, of which a cluster has none. */
const acrossDatabases: Makers = [
  ['5.0', (d) => ['MOVE', any(d), database(d)]],
  ['5.0', (d) => (d(4) === 0 ? ['SWAPDB', database(d), database(d)] : ['DEL', any(d)])],
  ['6.2', (d) => ['COPY', any(d), any(d), 'DB', database(d), 'REPLACE']],
  ['redis 8.0', (d) => ['MOVE', `vectors:${d(3)}`, database(d)]],
];

/** What reaches further than one key, or what an older release has no place for. */
const wider: Makers = [
  ['5.0', (d) => (d(20) === 0 ? ['FLUSHDB'] : ['DEL', any(d)])],
  ['5.0', (d) => ['RENAME', any(d), any(d)]],
  ['6.2', (d) => ['GEOSEARCHSTORE', key(d, 'zset'), key(d, 'zset'), 'FROMLONLAT', 40, 40, 'BYBOX', 9e3, 9e3, 'km']],
  ['5.0', (d) => ['SORT', key(d, 'set'), 'BY', 'string:*', 'GET', 'hash:*->m1', 'STORE', key(d, 'list')]],
  ['redis 8.2', (d) => ['BITOP', pick(d, 'DIFF', 'ONE'), key(d, 'string'), key(d, 'string'), key(d, 'string')]],
  ['redis 8.0', (d) => ['VADD', `vectors:${d(3)}`, 'VALUES', 2, d(9), d(9), `m${d(5)}`]],
  ['redis 8.0', (d) => ['PEXPIRE', `vectors:${d(3)}`, 1_000_000 + d(1000)]],
  ['redis 8.0', (d) => [pick(d, 'DEL', 'PERSIST'), `vectors:${d(3)}`]],
  ['redis 8.0', (d) => [pick(d, 'RENAME', 'RENAMENX'), `vectors:${d(3)}`, any(d)]],
  ['7.0', (d) => ['FUNCTION', 'LOAD', 'REPLACE', library(`f${d(3)}`, d(100))]],
  ['7.0', (d) => ['FUNCTION', 'DELETE', `f${d(3)}`]],
  ['6.2', (d) => ['BLMOVE', key(d, 'list'), key(d, 'list'), 'LEFT', 'RIGHT', 0.001]],
  ['5.0', (d) => ['BZPOPMIN', key(d, 'zset'), key(d, 'zset'), 1]],
];

export interface RandomLoadInput {
  release: string;
  draw: Draw;
  /** In a cluster: what a command's keys have in common, `{a}`; they are never of two slots. Empty outside of one. */
  tags: readonly string[];
}

/** Commands in the order in which one client sends them, in several databases, in transactions and scripts among them. */
export function randomLoad({ release, draw, tags }: RandomLoadInput): (now: number) => Command[] {
  const inCluster = tags.length > 0;
  const makers = inCluster ? wider : [...wider, ...acrossDatabases];
  const known = makers.filter(([since]) => knowsSince(release, since)).map(([, make]) => make);
  const make = randomCommands(release, draw);
  const tag = (): string => (inCluster ? pick(draw, ...tags) : '');
  const one = (now: number, of = tag()): Command => tagged(make(now), of);
  const some = (now: number, of?: string): Command[] => Array.from({ length: 2 + draw(4) }, () => one(now, of));
  return (now) => {
    const kind = draw(100);
    if (kind < 8) return inCluster ? [one(now)] : [['SELECT', database(draw)]];
    if (kind < 16) {
      // A transaction's keys are of one slot; a script may use those of several.
      const of = tag();
      const elsewhere = inCluster || draw(4) ? [] : [['SELECT', database(draw)], one(now)];
      return [['MULTI'], ...some(now, of), ...elsewhere, ['EXEC']];
    }
    if (kind < 22) return [['EVAL', script, 0, ...some(now).flatMap((it) => [it.length, ...it])]];
    if (kind < 30) return [tagged(pick(draw, ...known)(draw), tag())];
    return [one(now)];
  };
}

/** No other word of a command looks like a key's name, or like a pattern of such names. */
const isKey = /^[a-z]+:/;

const tagged = (command: Command, tag: string): Command =>
  tag === '' ? command : command.map((it) => (isKey.test(textOf(it)) ? bytesOf(tag + textOf(it)) : it));

const textOf = (word: Word): string => (Buffer.isBuffer(word) ? word.toString('latin1') : String(word));
