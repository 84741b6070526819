import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CommandParser, type ReplicatedCommand } from '../../../redis/replication/command-parser.js';

const encode = (args: readonly Uint8Array[]): Buffer =>
  Buffer.concat([
    Buffer.from(`*${args.length}\r\n`),
    ...args.flatMap((it) => [Buffer.from(`$${it.length}\r\n`), Buffer.from(it), Buffer.from('\r\n')]),
  ]);

const command = fc.array(fc.uint8Array({ maxLength: 30 }), { minLength: 1, maxLength: 5 });
const sizes = fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1 });

/** Reads a stream in pieces of these sizes, over and over. */
function parse(stream: Buffer, pieces: number[], from = 0): ReplicatedCommand[] {
  const parser = new CommandParser(from);
  const found: ReplicatedCommand[] = [];
  for (let at = 0, i = 0; at < stream.length; i++) {
    const size = pieces[i % pieces.length] ?? 1;
    found.push(...parser.push(stream.subarray(at, at + size)));
    at += size;
  }
  return found;
}

test('commands split anywhere come out whole, each with the offset after it', () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 8 }), sizes, fc.boolean(), (commands, pieces, keepAlive) => {
      const gap = Buffer.from(keepAlive ? '\n' : '');
      const found = parse(Buffer.concat(commands.flatMap((it) => [gap, encode(it)])), pieces, 1000);
      expect(found.map((it) => it.args)).toEqual(commands.map((args) => args.map((it) => Buffer.from(it))));
      let offset = 1000;
      expect(found.map((it) => it.offset)).toEqual(commands.map((it) => (offset += gap.length + encode(it).length)));
      for (const { args, encoded } of found)
        if (encoded)
          expect(`*${args.length}\r\n${encoded.bytes.toString('latin1', encoded.from, encoded.to)}`).toBe(
            encode(args).toString('latin1'),
          );
    }),
    { numRuns: 2000 },
  );
});

test('a stream cut off anywhere gives the commands before the cut, and no other', () => {
  fc.assert(
    fc.property(fc.array(command, { minLength: 1, maxLength: 8 }), sizes, fc.nat(), (commands, pieces, where) => {
      const stream = Buffer.concat(commands.map(encode));
      const cut = where % stream.length;
      const found = parse(stream.subarray(0, cut), pieces);
      expect(found.map((it) => it.args)).toEqual(
        commands.slice(0, found.length).map((args) => args.map((it) => Buffer.from(it))),
      );
      const next = commands[found.length];
      expect((found.at(-1)?.offset ?? 0) + (next ? encode(next).length : 0)).toBeGreaterThan(cut);
    }),
    { numRuns: 2000 },
  );
});

/** Offsets of the bytes that frame the arguments: headers and line ends. */
function framing(commands: readonly Uint8Array[][]): { at: number; command: number }[] {
  const out: { at: number; command: number }[] = [];
  let at = 0;
  const frame = (bytes: number, index: number): void => {
    for (let i = 0; i < bytes; i++) out.push({ at: at++, command: index });
  };
  for (const [index, args] of commands.entries()) {
    frame(`*${args.length}\r\n`.length, index);
    for (const it of args) {
      frame(`$${it.length}\r\n`.length, index);
      at += it.length;
      frame(2, index);
    }
  }
  return out;
}

test('a damaged frame is an error: what comes before it is right, and nothing comes after', () => {
  const word = fc.array(fc.uint8Array({ minLength: 1, maxLength: 30 }), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 6 }), fc.nat(), fc.nat(255), (commands, where, byte) => {
      const stream = Buffer.concat([...commands.map(encode), encode([Buffer.from('PING')])]);
      const frames = framing(commands);
      const hit = frames[where % frames.length];
      if (!hit || stream[hit.at] === byte) return;
      // Another length that happens to fit the bytes is another stream, and not a damaged one.
      if (stream[hit.at - 1] === 0x24 || stream[hit.at - 2] === 0x24) fc.pre(byte < 0x30 || byte > 0x39);
      fc.pre(!(byte === 0x0a && stream[hit.at] === 0x2a));
      stream[hit.at] = byte;
      const parser = new CommandParser(0);
      const found: ReplicatedCommand[] = [];
      let failed: unknown;
      try {
        // Two pieces, as it comes: whole commands first.
        const before = commands.slice(0, hit.command).reduce((sum, it) => sum + encode(it).length, 0);
        found.push(...parser.push(stream.subarray(0, before)));
        found.push(...parser.push(stream.subarray(before)));
      } catch (error) {
        failed = error;
      }
      expect(failed).toMatchObject({ type: 'Unreachable' });
      expect(found.map((it) => it.args)).toEqual(
        commands.slice(0, hit.command).map((args) => args.map((it) => Buffer.from(it))),
      );
    }),
    { numRuns: 2000 },
  );
});

test('any bytes at all end in an error or in commands that account for them', () => {
  const part = fc.oneof(
    fc.uint8Array({ maxLength: 20 }).map((it) => Buffer.from(it)),
    fc
      .constantFrom('*', '$', '\r\n', '\n', '*1\r\n', '$1\r\n', '*-1\r\n', '$-1\r\n', '1', '99999999999')
      .map((it) => Buffer.from(it)),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 12 }), sizes, (parts, pieces) => {
      const stream = Buffer.concat(parts);
      try {
        for (const { args, offset } of parse(stream, pieces)) {
          expect(offset).toBeLessThanOrEqual(stream.length);
          const encoded = encode(args);
          const there = stream.subarray(offset - encoded.length, offset);
          // A leading zero in a length is read as the server reads it.
          if (!/[*$]0\d/.test(stream.toString('latin1'))) expect(there.equals(encoded)).toBe(true);
        }
      } catch (error) {
        expect(error).toMatchObject({ type: 'Unreachable' });
      }
    }),
    { numRuns: 2000 },
  );
});

test.each([
  '+OK\r\n',
  '*x\r\n',
  '*0\r\n',
  '*1\r\n:5\r\n',
  '*1\r\n$-1\r\n',
  '*9999999\r\n',
  '*1\r\n$1\r\nab\r\n',
  'x'.repeat(100),
])('%j in the stream is an error, and no command is made of it', (bytes) => {
  const expected = /near offset \d+, where a command should be/;
  expect(() => new CommandParser(0).push(Buffer.from(bytes))).toThrow(expected);
  expect(() => parse(Buffer.from(bytes), [1])).toThrow(expected);
});
