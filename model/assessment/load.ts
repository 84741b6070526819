import { hasFlag, type CommandTable } from '../knowledge/command-table.js';
import { measuredOf } from '../knowledge/measured.js';
import { assumedShape, type LoadShape } from '../load-shape.js';
import type { Evidence } from './findings/evidence.js';

/** Commands of a load that are worth naming; the rest is spread over them. */
const MOST_COMMANDS = 30;

type Observed = Pick<Evidence, 'usage' | 'from'> & { survey: Pick<Evidence['survey'], 'commands' | 'keys'> };

/**
 * The load that was observed, in the form that staging plays. How popular keys are no server tells: that is assumed.
 *
 * @returns undefined where it was not observed over time, or not a key was used or seen
 */
export function loadOf({ usage, survey, from }: Observed): LoadShape | undefined {
  const table: CommandTable = survey.commands ?? measuredOf(from).commands;
  const used = usage.commands.flatMap(({ name, during = 0 }) => {
    const facts = table[name];
    const touches = facts?.key !== undefined && (hasFlag(facts, 'write') || hasFlag(facts, 'readonly'));
    return facts && touches && during > 0 ? [{ name, during, reads: hasFlag(facts, 'readonly') }] : [];
  });
  const all = sum(used.map(({ during }) => during));
  const [pattern] = Object.entries(patternsIn(survey.keys)).sort(([, a], [, b]) => b - a)[0] ?? [];
  if (all === 0 || pattern === undefined || usage.overMs === 0) return undefined;
  const named = used.toSorted((a, b) => b.during - a.during).slice(0, MOST_COMMANDS);
  const ofNamed = sum(named.map(({ during }) => during));
  return {
    commands: named.map(({ name, during }) => ({ name, share: during / ofNamed })),
    readShare: sum(used.filter(({ reads }) => reads).map(({ during }) => during)) / all,
    keys: {
      pattern: numbered(pattern),
      count: Math.max(1, sum(survey.keys.map(({ keys }) => keys))),
      popularity: assumedShape.keys.popularity,
    },
    valueSizes: sizesIn(survey.keys),
    ratePerSecond: (1000 * all) / usage.overMs,
  };
}

function patternsIn(keys: Evidence['survey']['keys']): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { patterns } of keys)
    for (const [pattern, { keys: count }] of Object.entries(patterns)) counts[pattern] = (counts[pattern] ?? 0) + count;
  return counts;
}

/** One `*` in the place of its first number. */
function numbered(pattern: string): string {
  const plain = pattern.replaceAll('*', '0');
  const one = plain.replace(/#|<uuid>|<hex>/, '*');
  return one.includes('*') ? one.replace(/#|<uuid>|<hex>/g, '0') : `${one}:*`;
}

function sizesIn(keys: Evidence['survey']['keys']): LoadShape['valueSizes'] {
  const counts = new Map<number, number>();
  for (const { sizes } of keys)
    for (const [upTo, count] of Object.entries(sizes))
      counts.set(Number(upTo), (counts.get(Number(upTo)) ?? 0) + count);
  const all = sum([...counts.values()]);
  return [...counts].sort(([a], [b]) => a - b).map(([upTo, count]) => ({ upTo, share: count / all }));
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, it) => total + it, 0);
