import { release } from '../../model/release.js';

/**
 * May a release load a DUMP payload or a library's dump that carries this version? Redis takes its own and older ones;
 * Valkey took its own number, 80, with 9.0, and refuses what Redis numbered from 12 on.
 */
export function loadsPayload(target: string, version: number): boolean {
  const { flavour, major, minor } = release(target);
  if (flavour === 'valkey') return version <= 11 || (major >= 9 && version === 80);
  const own = major < 7 ? 9 : major > 7 || minor >= 4 ? 12 : minor >= 2 ? 11 : 10;
  return version <= own;
}

/** The version in a DUMP payload's last ten bytes: two of it, eight of checksum. */
export const payloadVersion = (payload: Buffer): number =>
  payload.length < 10 ? Infinity : payload.readUInt16LE(payload.length - 10);
