import { nameRelease, parseRelease, release, satisfies } from '../release.js';
import type { Verdict } from '../verdict.js';
import { lineOf, olderLine, releaseLines } from './release-lines.js';
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
 * The refusal as `rollout` prints it, with the commands that go on; undefined where every step of the way is allowed.
 *
 * @param name the deployment's name, as the commands take it
 * @param via releases to go through before the target, one after the other
 */
export function explainRefusal(
  name: string,
  from: string,
  to: string,
  via: readonly string[] = [],
): string | undefined {
  const stops = [...via, to];
  for (const [i, stop] of stops.entries()) {
    const at = stops[i - 1] ?? from;
    const path = upgradePath(at, stop);
    if (path.ok) continue;
    const ways = waysOn(name, upgradePath(from, to), to);
    const width = Math.max(0, ...ways.map(({ what }) => what.length)) + 5;
    return [
      `${name} can't go from ${at} to ${stop}${path.hop ? ' in one step' : ''}.`,
      `  ${sentence(path.refused)}`,
      ...(ways.length === 0 ? [`  ${sentence(path.clears)}`] : []),
      ...ways.map(({ what, command }, n) => {
        const text = n === 0 ? `G${what.slice(1)}:` : `Or ${what.replace(/^go /, '')}:`;
        return `  ${text.padEnd(width)}${command}`;
      }),
    ].join('\n');
  }
  return undefined;
}

/** What works instead of a refused step, and the command that shows it: by way of other releases, or straight on. */
export function waysOn(name: string, path: UpgradePath, to: string): { what: string; command: string }[] {
  if (path.ok) return [];
  const between = path.hop?.slice(0, -1) ?? [];
  return [
    ...(between.length === 0
      ? []
      : [
          {
            what: `go by way of ${between.join(' and ')}`,
            command: `rollout plan ${name} ${targetOptions(to, between)}`,
          },
        ]),
    ...(path.straight === undefined
      ? []
      : [{ what: `go straight to ${path.straight}`, command: `rollout plan ${name} ${targetOptions(path.straight)}` }]),
  ];
}

/** The way as `rollout plan` and `rollout start` take it: `--to 7.2 --via 7.0`. */
export const targetOptions = (to: string, via: readonly string[] = []): string =>
  [`--to ${to}`, ...via.map((stop) => `--via ${stop}`)].join(' ');

/**
 * What is left of a way: stops that every node has reached are behind, the last one never is. While nothing newer runs,
 * a node that was never released keeps the stop: it is compared and released on the release that it came for.
 *
 * @param nodes what runs now; `pending`: an operation has isolated it and not released it
 * @param stops exact releases, one behind the other, the target last
 */
export function stopsLeft(nodes: readonly { release: string; pending: boolean }[], stops: readonly string[]): string[] {
  const behind = stops.slice(0, -1).filter((stop) => {
    const reached = nodes.every(({ release: it }) => !olderLine(it, stop));
    const passed = nodes.some(({ release: it }) => olderLine(stop, it));
    return reached && (passed || !nodes.some(({ pending }) => pending));
  });
  return stops.slice(behind.length);
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
