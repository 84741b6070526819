import { release, type Release } from '../../model/release.js';

/**
 * Does a release know what came with `since`? `6.2` is Redis' number, and Valkey began with all of 7.2; `redis 7.4
 * valkey 9.0` gives each its own, and a flavour that isn't named never got it.
 */
export function knowsSince(target: string, since: string): boolean {
  const { flavour, major, minor } = release(target);
  const words = since.split(' ');
  const at = words.length === 1 && flavour === 'redis' ? 0 : words.indexOf(flavour) + 1;
  if (words.length === 1 && flavour === 'valkey') return isAtMost(words[0] ?? '', { major: 7, minor: 2 });
  return (at > 0 || words.length === 1) && isAtMost(words[at] ?? '', { major, minor });
}

function isAtMost(since: string, { major, minor }: Pick<Release, 'major' | 'minor'>): boolean {
  const [a = 0, b = 0] = since.split('.').map(Number);
  return a < major || (a === major && b <= minor);
}

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
