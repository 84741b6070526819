import { Crc64 } from '../../../redis/rdb/crc64.js';

/** An RDB file by hand, for what no server at hand writes: the given records, end marker and checksum. */
export function rdbFile(header: string, ...records: (string | Buffer | number[])[]): Buffer {
  const body = Buffer.concat([
    Buffer.from(header, 'latin1'),
    ...records.map((it) => (typeof it === 'string' ? Buffer.from(it, 'latin1') : Buffer.from(it))),
    Buffer.from([255]),
  ]);
  return Buffer.concat([body, Buffer.from(new Crc64().update(body).hex(), 'hex').reverse()]);
}

/** A string of up to 63 bytes. */
export const text = (value: string): Buffer => Buffer.concat([Buffer.from([value.length]), Buffer.from(value)]);
