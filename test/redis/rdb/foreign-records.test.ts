/** Records that no server at hand writes by itself, after rdb.c of the releases that do. */
import { describe, expect, test } from 'vitest';
import { checkRdb } from '../../../redis/rdb/check.js';
import { rdbFile, text } from './file.js';

const key = text('k');
const expiry = [252, 0, 0, 0, 0, 0, 1, 0, 0];
const id = Buffer.alloc(16, 7);
const time = Buffer.alloc(8, 1);
const records: Record<string, [type: number, value: Buffer[]]> = {
  'list of 1.0': [1, [Buffer.from([2]), text('a'), text('b')]],
  'zset with scores in digits, infinities and no number': [
    3,
    [
      Buffer.from([4]),
      text('a'),
      text('1.5'),
      text('b'),
      Buffer.from([253]),
      text('c'),
      Buffer.from([254]),
      text('d'),
      Buffer.from([255]),
    ],
  ],
  'zipmap, ziplists and intset as strings': [9, [text('zipmap')]],
  'module with every kind of operand': [
    7,
    [
      Buffer.from([0x81, 1, 2, 3, 4, 5, 6, 7, 8]),
      Buffer.from([1, 5, 2, 0x81, 255, 255, 255, 255, 255, 255, 255, 255, 3, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0]),
      Buffer.from([5]),
      text('a string'),
      Buffer.from([0]),
    ],
  ],
  'stream of 5.0 with a group': [
    15,
    [
      Buffer.from([1]),
      text('id'),
      text('pack'),
      Buffer.from([1, 0, 0, 1]),
      text('group'),
      Buffer.from([0, 0, 1]),
      id,
      time,
      Buffer.from([1, 1]),
      text('me'),
      time,
      Buffer.from([1]),
      id,
    ],
  ],
};

test.each(Object.entries(records))('%s', async (_, [type, value]) => {
  const { keys, expires } = await checkRdb([rdbFile('REDIS0009', expiry, [type], key, ...value, [0], key, text('v'))]);
  expect({ keys, expires }).toEqual({ keys: 2, expires: 1 });
});

test('hashes of the release candidates of 7.4 have no earliest expiry in front', async () => {
  const fields = [
    Buffer.from([2, 0]),
    text('a'),
    text('1'),
    Buffer.from([0x81, 0, 0, 1, 0, 0, 0, 0, 0]),
    text('b'),
    text('2'),
  ];
  const summary = await checkRdb([rdbFile('REDIS0012', [22], key, ...fields, [23], text('l'), text('listpack'))]);
  expect(summary).toMatchObject({ keys: 2, hashesWithFieldExpiry: 2 });
});

test('a migration of slots under way in Valkey 9 is passed over', async () => {
  const job = Buffer.concat([
    Buffer.from([243]),
    text('0123456789012345678901234567890123456789'),
    Buffer.from([1, 0, 0x43, 255]),
  ]);
  expect(await checkRdb([rdbFile('VALKEY080', job, [0], key, text('v'))])).toMatchObject({ keys: 1, format: 'VALKEY' });
});

test('slot sizes, idle time, frequency, seconds and module data are passed over', async () => {
  const module = [247, 0x81, 0, 0, 0, 0, 0, 0, 0, 1, 2, 1, 5, 1, 97, 0];
  const slot = [244, 0x40, 100, 1, 0];
  const file = rdbFile(
    'REDIS0012',
    module,
    [254, 0],
    [251, 3, 1],
    slot,
    [253, 1, 0, 0, 0, 248, 60, 0],
    key,
    text('v'),
    [249, 5, 0],
    text('l'),
    text('v'),
  );
  expect(await checkRdb([file])).toMatchObject({ keys: 2, expires: 1 });
});

test('without a checksum the file is accepted, and the summary says so', async () => {
  const file = rdbFile('REDIS0009', [0], key, text('v'));
  file.fill(0, file.length - 8);
  expect(await checkRdb([file])).toMatchObject({ keys: 1, checksum: 'absent' });
});

describe('what no server writes is refused with its byte', () => {
  test.each<[what: string, file: Buffer, message: RegExp]>([
    ['nothing at all', Buffer.alloc(0), /byte 0: the file ends here, within its header/],
    ['another kind of file', Buffer.from('#!/bin/sh\n'), /byte 0: it begins with "#!\/bin\/sh"/],
    ['a version of the future', rdbFile('REDIS0099'), /RDB version 99 of REDIS is not known/],
    ['a Redis version under Valkey’s name', rdbFile('VALKEY011'), /RDB version 11 of VALKEY is not known/],
    ['an unknown type', rdbFile('REDIS0009', [42]), /byte 9: type or opcode 42 is not known in RDB version 9/],
    ['a type of a later version', rdbFile('REDIS0009', [24], key), /byte 9: type or opcode 24/],
    ['an expiry without a key', rdbFile('REDIS0009', expiry), /byte 18: opcode 255 comes where a key has to/],
    [
      'a string of an unknown encoding',
      rdbFile('REDIS0009', [0], [0xc9]),
      /byte 10: a string has the unknown encoding 9/,
    ],
    ['a length that announces nothing', rdbFile('REDIS0009', [0], key, [0xa0]), /byte 12: a string has the unknown/],
    ['an encoding for a count', rdbFile('REDIS0009', [1], key, [0xc0]), /byte 12: a length is malformed/],
    ['a count beyond reason', rdbFile('REDIS0009', [1], key, [0x81], Buffer.alloc(8, 255)), /byte 12: a count of/],
    [
      'a value longer than the file',
      rdbFile('REDIS0009', [0], key, [0x80, 127, 0, 0, 0]),
      /bytes short of the end of a value/,
    ],
    [
      'bytes after the checksum',
      Buffer.concat([rdbFile('REDIS0009'), Buffer.from('\n')]),
      /byte 18: the file goes on after/,
    ],
    ['a module’s opcode of the future', rdbFile('REDIS0009', [7], key, [1, 9]), /unknown opcode 9/],
    [
      'a compressed field that does not unpack',
      rdbFile('REDIS0009', [250, 0xc3, 2, 9, 31, 0], text('v')),
      /byte 10: a compressed/,
    ],
  ])('%s', async (_, file, message) => {
    await expect(checkRdb([file])).rejects.toMatchObject({
      type: 'BackupFailed',
      message: expect.stringMatching(message) as string,
    });
  });
});
