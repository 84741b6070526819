import { knowsSince } from './knows-since.js';

/** What a release may have no place for, since when releases have one, and the commands that make such data. */
const kinds: readonly { since: string; by: Readonly<Record<string, string>> }[] = [
  {
    since: 'redis 7.4 valkey 9.0',
    by: {
      ...{ hexpire: 'redis 7.4 valkey 9.0', hpexpire: 'redis 7.4 valkey 9.0' },
      ...{ hexpireat: 'redis 7.4 valkey 9.0', hpexpireat: 'redis 7.4 valkey 9.0' },
      ...{ hsetex: 'redis 8.0 valkey 9.0', hgetex: 'redis 8.0 valkey 9.0' },
    },
  },
  { since: 'redis 8.0', by: { vadd: 'redis 8.0' } },
  { since: '7.0', by: { 'function|load': '7.0', 'function|restore': '7.0' } },
];

/**
 * Commands of `newer` that make what `older` can't hold: kept from clients, the way back stays without loss. A value of such a
 * kind that is restored, or moved there, is not among them.
 */
export const makersOfNewData = (newer: string, older: string): string[] =>
  kinds
    .filter(({ since }) => !knowsSince(older, since))
    .flatMap(({ by }) => Object.entries(by).flatMap(([name, since]) => (knowsSince(newer, since) ? [name] : [])));
