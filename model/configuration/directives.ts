import { atLeast, compareNumbers, release } from '../release.js';
import redis5_0_6 from './directives/5.0.6.json' with { type: 'json' };
import redis6_0_16 from './directives/6.0.16.json' with { type: 'json' };
import redis6_2_14 from './directives/6.2.14.json' with { type: 'json' };
import redis7_0_15 from './directives/7.0.15.json' with { type: 'json' };
import redis7_2_4 from './directives/7.2.4.json' with { type: 'json' };
import redis7_4_1 from './directives/7.4.1.json' with { type: 'json' };
import redis8_0_2 from './directives/8.0.2.json' with { type: 'json' };
import redis8_0_6 from './directives/8.0.6.json' with { type: 'json' };
import redis8_2_3 from './directives/8.2.3.json' with { type: 'json' };
import valkey8_1_1 from './directives/valkey-8.1.1.json' with { type: 'json' };
import valkey9_1_2 from './directives/valkey-9.1.2.json' with { type: 'json' };

/** Every directive that `CONFIG GET *` of a release names, with its default. */
export type Directives = Readonly<Record<string, string>>;

/** What the real servers said (`npm run generate`); a default that depends on the machine is empty. */
const recorded: Readonly<Record<string, Directives>> = {
  '5.0.6': redis5_0_6,
  '6.0.16': redis6_0_16,
  '6.2.14': redis6_2_14,
  '7.0.15': redis7_0_15,
  '7.2.4': redis7_2_4,
  '7.4.1': redis7_4_1,
  '8.0.2': redis8_0_2,
  '8.0.6': redis8_0_6,
  '8.2.3': redis8_2_3,
  'valkey-8.1.1': valkey8_1_1,
  'valkey-9.1.2': valkey9_1_2,
};

export const recordedReleases: readonly string[] = Object.keys(recorded);

/** TLS depends on how a server was built, not on its release: some that were asked have none. */
const tls = Object.fromEntries(Object.entries(redis8_0_6).filter(([name]) => name.startsWith('tls-')));

/** The directives of a release: its own, or those of the nearest one of its flavour that was asked. */
export function directivesOf(text: string): Directives {
  const own = recorded[nearestRelease(text, recordedReleases)] ?? {};
  return atLeast(text, 6, 0) ? { ...tls, ...own } : own;
}

/** Of the releases that were asked, the nearest one of the same flavour. */
export function nearestRelease(text: string, asked: readonly string[]): string {
  const wanted = release(text);
  const distance = (name: string): number => {
    const it = release(name);
    const apart = (it.major - wanted.major) * 10_000 + (it.minor - wanted.minor) * 100;
    // Of two that are as near, the older one: a directive too few is dropped, one too many stops the server.
    return Math.abs(apart + ((it.patch ?? 0) - (wanted.patch ?? 99))) + (compareNumbers(it, wanted) > 0 ? 0.5 : 0);
  };
  const same = asked.filter((name) => release(name).flavour === wanted.flavour);
  return same.sort((a, b) => distance(a) - distance(b))[0] ?? '';
}

/** Does any release that was asked know it? What none knows is a module's, or of a build of one's own. */
export const isKnownAnywhere = (directive: string): boolean =>
  Object.values(recorded).some((directives) => directive in directives);

/** Defaults that say something of the machine, or of the file that the server was asked with; not recorded. */
export const ofTheMachine: ReadonlySet<string> = new Set(['dir', 'port', 'bind', 'pidfile', 'logfile', 'save']);
