import { nameRelease, parseRelease, release, satisfies } from '../release.js';
import type { Verdict } from '../verdict.js';
import { lineOf, releaseLines } from './release-lines.js';
import { isForward, isKnown, readsSnapshotOf, shareBus } from './rules.js';

export type UpgradePath =
  | { ok: true; reason: string }
  | {
      ok: false;
      /** Why one step can't do it, as a sentence without its full stop. */
      refused: string;
      /** What to do instead. */
      clears: string;
      /** Lines to go through one after the other, the target last: `['7.0', '7.2']`. */
      hop?: string[];
      /** The nearest newer line that one step reaches, where the target isn't one: `8.0`. */
      straight?: string;
    };

/** May a cluster of `from` become `to` in one rolling upgrade? Every rule that says no, in the order to be heard. */
export function oneStep(from: string, to: string): Verdict[] {
  // A later rule has nothing sensible to say where an earlier one refuses.
  for (const rule of [() => isKnown(to), () => isKnown(from), () => isForward(from, to)]) {
    const verdict = rule();
    if (verdict.state !== 'pass') return [verdict];
  }
  return [readsSnapshotOf(to, from), shareBus(from, to)].filter((verdict) => verdict.state !== 'pass');
}

/**
 * The way from one release to another. Where one step is refused, the releases in between are searched for, fewest hops
 * first and, among equals, the nearest releases.
 *
 * @param from exact release that runs, `5.0.6`
 * @param to target, with or without its patch: `7.2`, `8.0.6`, `valkey-9.1`
 */
export function upgradePath(from: string, to: string): UpgradePath {
  if (!parseRelease(to))
    return {
      ok: false,
      refused: `'${to}' is no release`,
      clears: 'expected for example 8.0, 8.0.6 or valkey-9.1',
    };
  const [refusal] = oneStep(from, to);
  if (refusal === undefined) return { ok: true, reason: `${nameRelease(from)} becomes ${nameRelease(to)} in one step` };
  const refused = refusal.reason ?? '';
  const clears = refusal.state === 'pass' ? '' : refusal.clears;
  // Hops help against what two releases can't do together, not against a target that is unknown or older.
  if (isKnown(from).state !== 'pass' || isKnown(to).state !== 'pass' || isForward(from, to).state !== 'pass')
    return { ok: false, refused, clears };
  const hop = search(from, to);
  const straight = straightTo(from, to);
  return { ok: false, refused, clears, ...(hop ? { hop } : {}), ...(straight === undefined ? {} : { straight }) };
}

/** Breadth first over the known lines. A hop into another flavour is taken only where the target is of that flavour. */
function search(from: string, to: string): string[] | undefined {
  const flavours = new Set([release(from).flavour, release(to).flavour]);
  const between = releaseLines.map(({ line }) => line).filter((line) => flavours.has(release(line).flavour));
  const seen = new Set([lineOf(from)]);
  let ways: string[][] = [[]];
  while (ways.length > 0) {
    const next: string[][] = [];
    for (const way of ways) {
      const at = way.at(-1) ?? from;
      if (oneStep(at, to).length === 0) return [...way, to];
      for (const line of between)
        if (!seen.has(line) && oneStep(at, line).length === 0) {
          seen.add(line);
          next.push([...way, line]);
        }
    }
    ways = next;
  }
  return undefined;
}

/** The nearest line after the target, of its flavour, that one step reaches. */
function straightTo(from: string, to: string): string | undefined {
  const index = releaseLines.findIndex(({ line }) => line === lineOf(to));
  const { flavour } = release(to);
  return releaseLines
    .slice(index + 1)
    .find(({ line }) => release(line).flavour === flavour && oneStep(from, line).length === 0)?.line;
}

/**
 * The refusal as `rollout` prints it, with the commands that go on.
 *
 * @param name the deployment's name, as the commands take it
 */
export function explainRefusal(name: string, from: string, to: string): string | undefined {
  const path = upgradePath(from, to);
  if (path.ok) return undefined;
  const ways = [
    ...(path.hop?.slice(0, -1).map((line, i) => [`${i === 0 ? 'Go' : 'Then'} by way of ${line}:`, line]) ?? []),
    ...(path.straight === undefined
      ? []
      : [[`${path.hop ? 'Or straight' : 'Straight'} to ${path.straight}:`, path.straight]]),
  ] as [string, string][];
  const width = Math.max(0, ...ways.map(([text]) => text.length)) + 4;
  return [
    `${name} can't go from ${from} to ${to}${path.hop ? ' in one cluster' : ''}.`,
    `  ${sentence(path.refused)}`,
    ...(ways.length === 0 ? [`  ${sentence(path.clears)}`] : []),
    ...ways.map(([text, line]) => `  ${text.padEnd(width)}rollout plan ${name} --to ${line}`),
  ].join('\n');
}

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;

/** The releases of a partly upgraded deployment that are still to be upgraded, each once, oldest first. */
export const leftToUpgrade = (running: readonly string[], to: string): string[] =>
  [...new Set(running)]
    .filter((it) => !satisfies(it, to))
    .sort(
      (a, b) =>
        releaseLines.findIndex((l) => l.line === lineOf(a)) - releaseLines.findIndex((l) => l.line === lineOf(b)) ||
        (release(a).patch ?? 0) - (release(b).patch ?? 0),
    );
