import { atLeast, compareNumbers, nameRelease, release } from '../release.js';
import { fail, pass, type Verdict } from '../verdict.js';
import { knownLine, knownReleases, type ReleaseLine } from './release-lines.js';

/** Is anything known of the release? What was never tried is not promised. */
export function isKnown(text: string): Verdict {
  return knownLine(text) === undefined
    ? fail(
        `nothing is known here of ${nameRelease(text)}: redis-rollout is made for ${knownReleases()}`,
        'choose one of these',
      )
    : pass();
}

/** Is `to` newer than `from`? Going back is what `fallback` is for. */
export function isForward(from: string, to: string): Verdict {
  const [a, b] = [release(from), release(to)];
  if (a.flavour === 'valkey' && b.flavour === 'redis')
    return fail(
      `${nameRelease(from)} can't become ${nameRelease(to)}: the two parted at 7.2, and neither reads what the other adds`,
      'choose a newer Valkey',
    );
  if (a.flavour !== b.flavour) return pass();
  // A target without a patch is the newest of its line, which no node of the line is newer than.
  const order = b.patch === undefined ? compareNumbers({ ...a, patch: 0 }, b) : compareNumbers(a, b);
  if (order < 0) return pass();
  if (order === 0)
    return b.patch === undefined && a.patch !== undefined
      ? fail(
          `${nameRelease(from)} is a release of ${to} already`,
          `name the patch release, for example ${to}.${a.patch + 1}`,
        )
      : fail(`it runs ${nameRelease(from)} already`, 'nothing is left to do');
  return fail(`${nameRelease(to)} is older than ${nameRelease(from)}`, 'choose a newer release');
}

/**
 * Can a `reader` load what a `writer` saves or sends whole? An RDB's version is checked before anything is read, and by
 * then a replica has emptied itself: `Can't handle RDB format version N`, retried for ever.
 */
export function readsSnapshotOf(reader: string, writer: string): Verdict {
  const [r, w] = [knownLine(reader), knownLine(writer)];
  if (!r) return isKnown(reader);
  if (!w) return isKnown(writer);
  if (snapshotReadable(r, w)) return pass();
  return fail(
    `${nameRelease(reader)} can't read what ${nameRelease(writer)} saves (RDB version ${w.rdb}${isForeign(r, w) ? `, which only ${flavourName(w)} knows` : `; it reads up to ${r.readsUpTo}`})`,
    'choose a release that reads it',
  );
}

const flavourName = (it: ReleaseLine): string => (release(it.line).flavour === 'redis' ? 'Redis' : 'Valkey');

/** RDB versions from 12 on belong to one flavour only. */
const isForeign = (reader: ReleaseLine, writer: ReleaseLine): boolean =>
  release(reader.line).flavour !== release(writer.line).flavour && writer.rdb >= 12;

const snapshotReadable = (reader: ReleaseLine, writer: ReleaseLine): boolean =>
  writer.rdb <= reader.readsUpTo && !isForeign(reader, writer);

/**
 * Can nodes of both releases be members of one cluster? A node before 7.0 silently drops messages with extension data,
 * so that a newcomer that always sends them is never met: it stays alone with `cluster_state:fail`.
 *
 * @param announcesHostname is cluster-announce-hostname set on the newer of the two?
 * @see redis#13401, redis#12685, redis#13128; mended by redis#13465 (8.0) and valkey#52
 */
export function shareBus(a: string, b: string, { announcesHostname = false } = {}): Verdict {
  const [x, y] = [knownLine(a), knownLine(b)];
  if (!x) return isKnown(a);
  if (!y) return isKnown(b);
  for (const [deaf, loud, name] of [
    [x, y, b],
    [y, x, a],
  ] as const) {
    if (deaf.bus !== 'plain') continue;
    if (loud.bus === 'always')
      return fail(
        `nodes before 7.0 drop the bus messages that ${loud.line} sends, so ${nameRelease(name)} would never join (redis#13401)`,
        'go by way of 7.0, or straight to 8.0 or later',
      );
    if (announcesHostname && loud.bus === 'ifAnnounced')
      return fail(
        `nodes before 7.0 drop the bus messages of ${nameRelease(name)} while cluster-announce-hostname is set on it (redis#13401)`,
        'set cluster-announce-hostname only when every node runs 7.0 or later',
      );
  }
  return pass();
}

/**
 * Up to 6.x, EXPIRE and SET … EX travel as relative times: a replica that catches up after d seconds gives those keys d
 * seconds more. From 7.0 on they travel as absolute times.
 */
export const expiresTravelRelatively = (primary: string): boolean => !atLeast(primary, 7, 0);

/** `CLIENT PAUSE … WRITE` and `CLIENT UNPAUSE`, on which the fast handover rests, are there from 6.2 on. */
export function canPauseWrites(primary: string): Verdict {
  return atLeast(primary, 6, 2)
    ? pass()
    : fail(
        `${nameRelease(primary)} can neither pause writes alone nor lift a pause (CLIENT PAUSE … WRITE and UNPAUSE came with 6.2)`,
        'safe is used for this handover',
      );
}
