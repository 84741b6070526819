import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CommandParser, type ReplicatedCommand } from '../../../redis/replication/command-parser.js';

const encode = (args: readonly Uint8Array[]): Buffer =>
  Buffer.concat([
    Buffer.from(`*${args.length}\r\n`),
    ...args.flatMap((it) => [Buffer.from(`$${it.length}\r\n`), Buffer.from(it), Buffer.from('\r\n')]),
  ]);

test('commands split anywhere come out whole, each with the offset after it', () => {
  const command = fc.array(fc.uint8Array({ maxLength: 30 }), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(
      fc.array(command, { maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
      fc.boolean(),
      (commands, sizes, keepAlive) => {
        const gap = Buffer.from(keepAlive ? '\n' : '');
        const stream = Buffer.concat(commands.flatMap((it) => [gap, encode(it)]));
        const parser = new CommandParser(1000);
        const found: ReplicatedCommand[] = [];
        for (let at = 0, i = 0; at < stream.length; i++) {
          const size = sizes[i % sizes.length] ?? 1;
          found.push(...parser.push(stream.subarray(at, at + size)));
          at += size;
        }
        expect(found.map((it) => it.args)).toEqual(commands.map((args) => args.map((it) => Buffer.from(it))));
        let offset = 1000;
        expect(found.map((it) => it.offset)).toEqual(commands.map((it) => (offset += gap.length + encode(it).length)));
      },
    ),
  );
});

test.each(['+OK\r\n', '*x\r\n', '*0\r\n', '*1\r\n:5\r\n', '*1\r\n$-1\r\n', '*9999999\r\n', 'x'.repeat(100)])(
  '%j in the stream is an error, and no command is made of it',
  (bytes) => {
    expect(() => [...new CommandParser(0).push(Buffer.from(bytes))]).toThrow(
      /at offset \d+, where a command should be/,
    );
  },
);

test('a command is the reader’s own: the chunk it came in may be used again', () => {
  const chunk = encode([Buffer.from('SET'), Buffer.from('key'), Buffer.from('value')]);
  const [command] = new CommandParser(0).push(chunk);
  chunk.fill(0);
  expect(command?.args.map(String)).toEqual(['SET', 'key', 'value']);
});
