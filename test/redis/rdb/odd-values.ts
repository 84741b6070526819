import { atLeast } from '../../../model/release.js';
import type { Command } from '../../../redis/resp.js';
import { everyType } from '../verify/every-type.js';

/** Numbers at the edges of each width in which servers store them, and strings at those of each kind of length. */
const numbers = [0, 1, 12, 13, 127, 128, -1, -128, -129, 4095, 4096, -4096, -4097, 32_767, 32_768, -32_768, -32_769]
  .concat([8_388_607, 8_388_608, -8_388_608, -8_388_609, 2_147_483_647, 2_147_483_648, -2_147_483_648, -2_147_483_649])
  .map(String)
  .concat([
    '9223372036854775807',
    '-9223372036854775808',
    '9007199254740993',
    '-9007199254740993',
    '9223372036854775808',
  ]);
const lengths = [0, 1, 62, 63, 64, 125, 126, 127, 128, 253, 254, 255, 4095, 4096, 16_380, 16_383, 16_384, 70_000];
const strings = lengths.map((length, i) => String.fromCharCode(97 + i).repeat(length));
const elements = [...numbers, ...strings, '-0', '+1', '01', ' 1', '1.0', '1e3'];

/** Every type, and what trips a reader of values: edges of encodings, streams in every state, fields that expire. */
export function oddValues(release: string): Command[] {
  return [
    ...everyType(),
    ['RPUSH', 'odd:list', ...elements],
    ['SADD', 'odd:set', ...elements],
    ['SADD', 'odd:set:16', -32_768, 32_767],
    ['SADD', 'odd:set:32', -2_147_483_648, 1],
    ['SADD', 'odd:set:64', '-9223372036854775808', '9223372036854775807', 5],
    ['HSET', 'odd:hash', ...elements.flatMap((it, i) => [it, elements[elements.length - 1 - i] ?? ''])],
    ['ZADD', 'odd:zset', ...elements.flatMap((it, i) => [scores[i % scores.length] ?? '', it])],
    ...numbers.map((it): Command => ['SET', `odd:string:${it}`, it]),
    ['SET', 'odd:string:repeats', 'abcdefg'.repeat(50_000)],
    ['SET', 'odd:string:long ago', 'x', 'PX', 3_000_000_000_000],
    ...streams(),
    ...(fieldsExpire(release) ? expiringFields() : []),
    ...(atLeast(release, 7, 0)
      ? ([['FUNCTION', 'LOAD', "#!lua name=mine\nredis.register_function('f', function() return 1 end)"]] as Command[])
      : []),
  ];
}

const scores = [
  '0',
  '-0',
  '0.1',
  '1e-320',
  '5e-324',
  '1.7976931348623157e308',
  '-1e21',
  '1e21',
  '123456789012345680',
  '3',
].concat(['0.30000000000000004', '-inf', 'inf', '9007199254740993', '-1.5', '1e100']);

const huge = '18446744073709551615';

function streams(): Command[] {
  const key = 'odd:stream';
  const add = (id: string, ...fields: string[]): Command => ['XADD', key, id, ...fields];
  return [
    add('0-1', 'first', ''),
    add('0-2', 'other', '1', 'fields', '-7'),
    add('0-2000000000', 'other', '2', 'fields', '300'),
    add('1700000000000-0', 'a', 'b'),
    add('1700000000000-1', 'a', elements.join()),
    add('9007199254740993-5', 'a', 'x'),
    add(`${huge}-3`, 'a', 'y'),
    add(`${huge}-${huge}`, 'a', 'z'),
    ['XDEL', key, '0-2', '1700000000000-0'],
    ['XGROUP', 'CREATE', key, 'none read', '0'],
    ['XGROUP', 'CREATE', key, 'all read', '$'],
    ...['XDEL', 'XTRIM'].flatMap((how) => pendingAndGone(how as 'XDEL' | 'XTRIM')),
    ['XADD', 'odd:stream:never used', 'MAXLEN', 0, '5-5', 'a', 'b'],
    ['XGROUP', 'CREATE', 'odd:stream:made by a group', 'g', '$', 'MKSTREAM'],
    ['XGROUP', 'CREATE', 'odd:stream:made by a group', Buffer.from([0, 255, 13, 10]), '7-7'],
  ];
}

/** Entries that are gone and still pending. */
function pendingAndGone(how: 'XDEL' | 'XTRIM'): Command[] {
  const key = `odd:stream:pending ${how}`;
  return [
    ...Array.from({ length: 1500 }, (_, i): Command => ['XADD', key, `${i + 1}-0`, 'n', i]),
    ['XGROUP', 'CREATE', key, 'g', '0'],
    ['XGROUP', 'CREATE', key, 'h', '0'],
    ['XREADGROUP', 'GROUP', 'g', 'many', 'COUNT', 1200, 'STREAMS', key, '>'],
    ['XREADGROUP', 'GROUP', 'g', 'some', 'COUNT', 100, 'STREAMS', key, '>'],
    ['XREADGROUP', 'GROUP', 'h', Buffer.from([1, 254, 0]), 'COUNT', 3, 'STREAMS', key, '>'],
    // Nothing is left to be delivered to this one.
    ['XREADGROUP', 'GROUP', 'h', 'idle', 'STREAMS', key, '5'],
    ['XCLAIM', key, 'g', 'some', 0, '7-0', '9-0', 'RETRYCOUNT', 70_000, 'TIME', 1_600_000_000_000, 'JUSTID'],
    ['XACK', key, 'g', '8-0', '900-0'],
    how === 'XDEL' ? ['XDEL', key, '1-0', '7-0', '500-0', '1250-0', '1500-0'] : ['XTRIM', key, 'MAXLEN', 400],
  ];
}

function expiringFields(): Command[] {
  const fields = Array.from({ length: 700 }, (_, i) => `field ${i}`);
  const at = Date.now() + 3_600_000;
  return [
    ['HSET', 'odd:fields:small', 'a', '1', 'b', '2', 'c', 'x'],
    ['HPEXPIREAT', 'odd:fields:small', at, 'FIELDS', 2, 'a', 'c'],
    ['HSET', 'odd:fields:large', ...fields.flatMap((field) => [field, field])],
    ...fields.map((field, i): Command => ['HPEXPIREAT', 'odd:fields:large', at + i * 1000, 'FIELDS', 1, field]),
    ['HPERSIST', 'odd:fields:large', 'FIELDS', 2, 'field 3', 'field 77'],
    ['PEXPIRE', 'odd:fields:large', 5_000_000],
  ];
}

/** Fields of hashes expire from Redis 7.4 on, and from Valkey 9.0. */
export const fieldsExpire = (release: string): boolean =>
  release.startsWith('valkey-') ? !release.startsWith('valkey-8') : atLeast(release, 7, 4);
