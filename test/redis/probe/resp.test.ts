import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeCommand, ReplyParser, type Reply } from '../../../redis/probe/resp.js';

const wire = '+OK\r\n:-42\r\n$5\r\nh\r\ni!\r\n$-1\r\n*-1\r\n*3\r\n:1\r\n*1\r\n$2\r\né\r\n$0\r\n\r\n-MOVED 1 h:1\r\n';
const replies: Reply[] = ['OK', -42, 'h\r\ni!', null, null, [1, ['é'], ''], new Error('MOVED 1 h:1')];

test('replies come out whole, however the socket cuts them', () => {
  const bytes = Buffer.from(wire);
  fc.assert(
    fc.property(fc.array(fc.nat(bytes.length), { maxLength: 12 }), (cuts) => {
      const edges = [0, ...cuts.sort((a, b) => a - b), bytes.length];
      const parser = new ReplyParser();
      const got = edges.slice(1).flatMap((edge, i) => parser.push(bytes.subarray(edges[i], edge)));
      expect(got).toEqual(replies);
    }),
  );
});

test('bytes that are no RESP2 end the connection instead of a silent wait', () => {
  expect(() => new ReplyParser().push(Buffer.from('HTTP/1.1 400 Bad Request\r\n'))).toThrow('expected a RESP2 reply');
});

test('lengths of commands count bytes', () => {
  expect(encodeCommand(['SET', 'é'])).toBe('*2\r\n$3\r\nSET\r\n$2\r\né\r\n');
});
