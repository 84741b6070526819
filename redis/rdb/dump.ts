import { RolloutError } from '../../model/failures.js';
import { Crc64 } from './crc64.js';
import { Cursor } from './cursor.js';
import { decodeValue } from './decode.js';
import type { Elements } from './elements.js';
import { type Dialect, dialect } from './layout.js';
import { moduleName } from './module-name.js';
import { Source, starved } from './source.js';

const FOOTER = 10;

/**
 * Reads the value in a reply of DUMP, in pieces. Its checksum is verified before the first one.
 *
 * @throws RolloutError BackupFailed when it is damaged, or of a version not known here; the message has the byte
 */
export function* readDump(payload: Buffer): Generator<Elements, void, void> {
  const { type, format } = opened(payload);
  const value = payload.subarray(1, payload.length - FOOTER);
  const cursor = new Cursor();
  cursor.add(value);
  // The type's byte comes before.
  const source = new Source(cursor, (what, offset = cursor.offset) => damaged(what, offset + 1));
  const decoding = decodeValue(type, format, source);
  if (!decoding) {
    const id = source.number();
    if (id === undefined) throw source.malformed('the value ends within the id of its module');
    yield { type: 'module', name: moduleName(id) };
    return;
  }
  for (;;) {
    const next = decoding.next();
    if (next.value === starved) throw source.malformed('the value ends too early');
    if (next.done && cursor.available > 0) throw source.malformed('the value goes on after its end');
    yield next.value;
    if (next.done) return;
  }
}

/**
 * The payload of a RESTORE: a value as it is written in an RDB, with the footer of the oldest version that has its type,
 * so that releases of that version take it, too.
 *
 * @param value without the type's byte
 */
export function dumpOf(code: number, value: Buffer, version: number): Buffer {
  const payload = Buffer.allocUnsafe(1 + value.length + FOOTER);
  payload[0] = code;
  value.copy(payload, 1);
  payload.writeUInt16LE(version, 1 + value.length);
  new Crc64().update(payload.subarray(0, value.length + 3)).writeTo(payload, value.length + 3);
  return payload;
}

/** Of a string, whole. */
export function dumpOfString(value: Buffer): Buffer {
  const length = Buffer.alloc(5);
  length[0] = 0x80;
  length.writeUInt32BE(value.length, 1);
  return dumpOf(0, Buffer.concat([length, value]), 9);
}

/** The RDB version in which a type came: all before 9 are in 9. Valkey's own types are of its version 80. */
export function versionOfType(code: number, { name }: Dialect): number {
  if (code <= 15) return 9;
  if (code <= 19) return 10;
  if (code <= 21) return 11;
  return name === 'VALKEY' ? 80 : 12;
}

/** What every payload begins and ends with: the type, two bytes of version, eight of checksum. */
function opened(payload: Buffer): { type: number; format: Dialect } {
  const end = payload.length - FOOTER;
  if (end < 1) throw damaged(`it has ${payload.length} bytes, at least ${FOOTER + 1} are needed`, payload.length);
  const written = Buffer.from(payload.subarray(end + 2))
    .reverse()
    .toString('hex');
  const crc = new Crc64().update(payload.subarray(0, end + 2)).hex();
  if (written !== crc) throw damaged(`the checksum is ${written}, and the bytes give ${crc}`, end + 2);
  const version = payload.readUInt16LE(end);
  // Valkey numbers its own from 80 on.
  const format = dialect(version >= 80 ? 'VALKEY' : 'REDIS', version);
  if (!format) throw damaged(`version ${version} is not known here (9 to 12 and 80 are)`, end);
  const type = payload[0] ?? 0;
  if (!format.value(type)) throw damaged(`type ${type} is not known in version ${version}`, 0);
  return { type, format };
}

const damaged = (what: string, offset: number): RolloutError =>
  new RolloutError('BackupFailed', `the value is damaged at byte ${offset}: ${what}`);
