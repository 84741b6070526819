import { release, type Release } from '../release.js';

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
