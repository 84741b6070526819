// A key that lives an hour longer because the stream of an older release was applied an hour later.
import { expect, test } from 'vitest';
import { Durations } from '../../../redis/replication/durations.js';
import { CommandParser } from '../../../redis/replication/command-parser.js';

const encode = (words: readonly string[]): string =>
  `*${words.length}\r\n${words.map((it) => `$${it.length}\r\n${it}\r\n`).join('')}`;
const at = 1_800_000_000_000;
function settled(release: string, ...commands: string[]): string[] {
  const bytes = Buffer.from(commands.map((it) => encode(it.split(' '))).join(''));
  const durations = new Durations(0);
  // Split anywhere.
  const out = [bytes.subarray(0, 9), bytes.subarray(9)].map((it) => durations.settle(it, { arrivedAt: at, release }));
  return new CommandParser(0).push(Buffer.concat(out)).map(({ args }) => args.map(String).join(' '));
}

test.each([
  ['EXPIRE k 10', 'PEXPIREAT k 1800000010000'],
  ['expire k -1', 'PEXPIREAT k 1799999999000'],
  ['PEXPIRE k 10', 'PEXPIREAT k 1800000000010'],
  ['SETEX k 10 v', 'SET k v', 'PEXPIREAT k 1800000010000'],
  ['PSETEX k 10 v', 'SET k v', 'PEXPIREAT k 1800000000010'],
  ['SET k v EX 10', 'SET k v', 'PEXPIREAT k 1800000010000'],
  ['SET k v NX px 10', 'SET k v', 'PEXPIREAT k 1800000000010'],
  ['SET k ex', 'SET k ex'],
  ['SET k v KEEPTTL', 'SET k v KEEPTTL'],
  ['SET k v PXAT 1900000000000', 'SET k v PXAT 1900000000000'],
  ['RESTORE k 10 payload', 'RESTORE k 1800000000010 payload ABSTTL'],
  ['RESTORE k 10 payload REPLACE', 'RESTORE k 1800000000010 payload REPLACE ABSTTL'],
  ['RESTORE k 0 payload', 'RESTORE k 0 payload'],
  ['RESTORE k 1900000000000 payload ABSTTL', 'RESTORE k 1900000000000 payload ABSTTL'],
  ['EXPIREAT k 1900000000', 'EXPIREAT k 1900000000'],
  ['HSET k EX 10', 'HSET k EX 10'],
  ['MULTI', 'MULTI'],
])('%s', (command, ...becomes) => {
  expect(settled('6.2.14', command)).toEqual(becomes);
  // From 7.0 on a duration can't be one: what looks like it is left as it is.
  expect(settled('7.0.15', command)).toEqual([command]);
  expect(settled('valkey-9.1.2', command)).toEqual([command]);
});
