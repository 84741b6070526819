// A stream that is cut in the middle of a command or of a transaction, or that is damaged and read on all the same.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CommandParser } from '../../../redis/replication/command-parser.js';
import { CommandScanner, type ScannedCommand } from '../../../redis/replication/command-scanner.js';

const word = fc.oneof(
  fc.constantFrom('SET', 'multi', 'EXEC', 'Discard', 'PING', ''),
  fc.string({ maxLength: 40 }),
  fc.constant('*3\r\n$3\r\n'),
);
const commands = fc.array(fc.array(word, { minLength: 1, maxLength: 6 }), { maxLength: 30 });
const encoded = (words: readonly string[]): string =>
  `*${words.length}\r\n${words.map((it) => `$${Buffer.byteLength(it)}\r\n${it}\r\n`).join('')}`;

test('however the stream is split, commands end where the parser says, and no transaction reaches over a boundary', () => {
  fc.assert(
    fc.property(
      commands,
      fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }),
      fc.boolean(),
      (all, sizes, newlines) => {
        const bytes = Buffer.from(all.map(encoded).join(newlines ? '\n' : ''));
        const parser = new CommandParser(1000);
        const scanner = new CommandScanner(1000, { keep: 2, keepBytes: 20 });
        const [parsed, scanned]: [string[], ScannedCommand[]] = [[], []];
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const size = sizes[i % sizes.length] ?? 1;
          const chunk = bytes.subarray(at, at + size);
          for (const { args, offset } of parser.push(chunk)) parsed.push(`${args[0]?.toString('latin1')} ${offset}`);
          scanner.push(chunk, (command) => scanned.push(command));
          at += size;
        }
        expect(scanned.map(({ name, offset }) => [name, offset])).toEqual(
          all.map((words, i) => [
            Buffer.from(words[0] ?? '')
              .subarray(0, 20)
              .toString('latin1')
              .toUpperCase(),
            Number(/ (\d+)$/.exec(parsed[i] ?? '')?.[1]),
          ]),
        );
        for (const [i, { args }] of scanned.entries())
          expect(args.map(String)).toEqual(all[i]?.slice(0, 2).map((it) => String(Buffer.from(it).subarray(0, 20))));
        expect(scanner.offset).toBe(1000 + bytes.length);
        let open = false;
        let last = 1000;
        for (const { name, before, offset } of scanned) {
          // Newlines between commands may count to either side.
          if (!open) expect(before).toBeGreaterThanOrEqual(last);
          expect(before).toBeLessThan(offset);
          if (open) expect(before).toBeLessThanOrEqual(last + Number(newlines));
          open = name === 'MULTI' || (open && name !== 'EXEC' && name !== 'DISCARD');
          if (!open) last = offset;
        }
      },
    ),
  );
});

test('what is damaged is refused, and nothing of it is said', () => {
  const good = Buffer.from(encoded(['SET', 'secret-key', 'secret-value']));
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.nat(255), (at, byte) => {
      const bytes = Buffer.from(good);
      bytes[at] = byte;
      try {
        new CommandScanner(0).push(Buffer.concat([bytes, good]));
      } catch (error) {
        expect(error).toMatchObject({ type: 'Damaged' });
        expect((error as Error).message).not.toContain('secret');
      }
    }),
  );
  for (const bad of [
    '+OK\r\n',
    '*0\r\n',
    '*1\r\n:5\r\n',
    '*1\r\n$3\r\nabcde',
    '*x\r\n',
    '*99999999\r\n',
    '*1\n$1\r\na\r\n',
    '*1111111111111111111',
  ])
    expect(() => new CommandScanner(0).push(Buffer.from(bad)), bad).toThrow(/where a command should go on/);
});

test('a command that is larger than memory would hold is passed over', () => {
  const scanner = new CommandScanner(0);
  const found: ScannedCommand[] = [];
  scanner.push(Buffer.from('*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$400000000\r\n'));
  const piece = Buffer.alloc(4_000_000, 'x');
  for (let i = 0; i < 100; i++) scanner.push(piece, (it) => found.push(it));
  expect(scanner.boundary).toBe(0);
  scanner.push(Buffer.from('\r\n'), (it) => found.push(it));
  expect(found).toMatchObject([{ name: 'SET', before: 0, offset: scanner.offset }]);
  expect(scanner.boundary).toBe(scanner.offset);
});
