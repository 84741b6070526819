import fc from 'fast-check';
import { expect, test } from 'vitest';
import { asText } from '../../redis/probe/resp.js';
import { encode, ErrorReply, ReplyParser, type Reply } from '../../redis/resp.js';
import { sameHyperLogLog } from '../../redis/verify/hyperloglog.js';

const reply: fc.Arbitrary<Reply> = fc.letrec<{ reply: Reply }>((tie) => ({
  reply: fc.oneof(
    { maxDepth: 3 },
    fc.uint8Array({ maxLength: 40 }).map((bytes): Reply => Buffer.from(bytes)),
    fc.integer().map((n): Reply => (n === 0 ? 0 : n)),
    fc.constant<Reply>(null),
    fc.stringMatching(/^ERR [a-z ]{0,20}$/).map((text): Reply => new ErrorReply(text)),
    fc.array(tie('reply'), { maxLength: 5 }),
  ),
})).reply;

function serialise(it: Reply): Buffer {
  if (it === null) return Buffer.from('$-1\r\n');
  if (typeof it === 'number') return Buffer.from(`:${it}\r\n`);
  if (it instanceof ErrorReply) return Buffer.from(`-${it.message}\r\n`);
  if (Buffer.isBuffer(it)) return Buffer.concat([Buffer.from(`$${it.length}\r\n`), it, Buffer.from('\r\n')]);
  return Buffer.concat([Buffer.from(`*${it.length}\r\n`), ...it.map(serialise)]);
}

// A reply torn apart by the network and read as something else.
test('replies come out the same wherever the packets are cut', () => {
  fc.assert(
    fc.property(fc.array(reply, { maxLength: 6 }), fc.array(fc.nat(400), { maxLength: 12 }), (replies, cuts) => {
      const bytes = Buffer.concat(replies.map(serialise));
      const parser = new ReplyParser();
      const out: Reply[] = [];
      const at = [0, ...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length];
      for (let i = 0; i + 1 < at.length; i++) out.push(...parser.push(bytes.subarray(at[i], at[i + 1])));
      expect(out).toEqual(replies);
    }),
  );
});

test('bytes that are no RESP2 end the connection instead of a silent wait', () => {
  expect(() => new ReplyParser().push(Buffer.from('HTTP/1.1 400 Bad Request\r\n'))).toThrow('expected a RESP2 reply');
});

test('the probe reads text', () => {
  const wire = '+OK\r\n:-42\r\n$5\r\nh\r\ni!\r\n$-1\r\n*-1\r\n*3\r\n:1\r\n*1\r\n$2\r\né\r\n$0\r\n\r\n-MOVED 1 h:1\r\n';
  expect(new ReplyParser().push(Buffer.from(wire)).map(asText)).toEqual([
    ...['OK', -42, 'h\r\ni!', null, null, [1, ['é'], '']],
    new Error('MOVED 1 h:1'),
  ]);
});

test('commands are encoded byte for byte, renamed where the deployment renames them', () => {
  const commands = [
    ['GET', Buffer.from([0, 13, 10, 255])],
    ['SCAN', 0, 'COUNT', 500],
  ] as const;
  expect(encode(commands, { SCAN: 'seek-and-find' }).toString('latin1')).toBe(
    '*2\r\n$3\r\nGET\r\n$4\r\n\0\r\n\xff\r\n*4\r\n$13\r\nseek-and-find\r\n$1\r\n0\r\n$5\r\nCOUNT\r\n$3\r\n500\r\n',
  );
});

test('two strings that only look like HyperLogLogs are not taken for the same', () => {
  const header = Buffer.from('HYLL\x01\0\0\0\x01\0\0\0\0\0\0\0', 'latin1');
  const other = Buffer.from('HYLL\x01\0\0\0\x02\0\0\0\0\0\0\0', 'latin1');
  const empty = Buffer.from([0x7f, 0xff]);
  expect(sameHyperLogLog(Buffer.concat([header, empty]), Buffer.concat([other, empty]))).toBe(true);
  expect(sameHyperLogLog(header, other)).toBe(false);
  expect(sameHyperLogLog(Buffer.from('HYLL'), Buffer.from('HYLL'))).toBe(false);
});
