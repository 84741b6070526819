import type { Keys, KeysOf } from './keys.js';
import { Lookup } from './lookup.js';
import { arg, same, type Becomes, type Pair, type Rewrite, type Rewritten } from './rewritten.js';
import { knowsSince } from '../../model/compatibility/knows-since.js';
import { table, type Entry } from './table.js';

export { isForScripts } from './functions.js';
export type { Rewritten } from './rewritten.js';

export interface Rewriter {
  /**
   * What a command of the stream becomes. A name that begins with `@` is one of `macros`. Everything that is written
   * with an expiry gets it later by `marginMs`. The same object may be returned again: it is not to be changed.
   */
  rewrite(args: Buffer[]): Rewritten;
  /** Keys that it reads and writes, within the database that is selected; `all` where they can't be told, or are all. */
  keysOf(args: Buffer[]): Keys;
}

export interface RewriterInput {
  /** Release of the primary whose stream it is. */
  source: string;
  /** Release of the server that it is for, older or the same. */
  target: string;
  /** By how much later a key's expiry is written, ms (default 0). */
  marginMs?: (key: Buffer) => number;
}

interface Compiled {
  /** Undefined where it stays the same, whatever its arguments. */
  rewrite: Rewrite | undefined;
  keys: KeysOf;
}

/**
 * Rewrites what `source` propagates for `target`, so that its effect there is the same. A source before 7.0 propagates
 * durations in place of points in time: what expires then lives longer by as much as it arrives late, as on any replica.
 */
export function rewriterFor({ source, target, marginMs = () => 0 }: RewriterInput): Rewriter {
  const knows = (since: string): boolean => knowsSince(target, since);
  const pair: Pair = { source, target, knows, marginMs };
  const commands = new Lookup(
    Object.entries(table).map(([name, entry]): [string, Compiled] => {
      const way = wayOf(entry, knows(entry.since));
      return [name, { rewrite: way?.rewrite(pair), keys: entry.keys }];
    }),
  );
  return {
    rewrite(args) {
      const command = commands.get(arg(args, 0));
      if (command === undefined) return unknown(args);
      return command.rewrite === undefined ? same : command.rewrite(args);
    },
    keysOf(args) {
      const command = commands.get(arg(args, 0));
      if (command !== undefined) return command.keys(args);
      return isModules(args) ? { reads: [], writes: [arg(args, 1)] } : 'all';
    },
  };
}

const wayOf = (entry: Entry, known: boolean): Entry['known'] => (known ? entry.known : entry.unknown);

/** What each command becomes on a target: at worst, where it depends on the arguments. */
export function coverage(target: string): ReadonlyMap<string, Becomes> {
  return new Map(
    Object.entries(table).map(([name, entry]) => [
      name,
      wayOf(entry, knowsSince(target, entry.since))?.becomes ?? 'same',
    ]),
  );
}

/** Names of modules' commands have a dot: JSON.SET, BF.ADD. */
const isModules = (args: Buffer[]): boolean => arg(args, 0).includes(0x2e) && args.length > 1;

function unknown(args: Buffer[]): Rewritten {
  const name = arg(args, 0).toString('latin1').toUpperCase();
  if (isModules(args))
    return { kind: 'unrepresentable', keys: [arg(args, 1)], what: `module data (${name.slice(0, name.indexOf('.'))})` };
  return { kind: 'unrepresentable', keys: args.slice(1, 2), what: `the command ${name.slice(0, 40)}` };
}
