import { atLeast } from '../release.js';
import { formatDirective } from './syntax.js';

/** Directives whose value is several arguments, not one with spaces in it. */
const severalArguments = new Set([
  'bind',
  'oom-score-adj-values',
  'latency-tracking-info-percentiles',
  'replicaof',
  'slaveof',
  'rdma-bind',
]);

/**
 * The lines that set a directive to what CONFIG GET said. `save` and `client-output-buffer-limit` get a line for each
 * entry: several on one line are understood from 7.0 on only, single ones by all.
 */
export function formatValue(directive: string, value: string): string[] {
  const words = value.split(/\s+/).filter(Boolean);
  switch (directive) {
    case 'save':
      // The empty one first: it removes what the release has by default, or an included file has set.
      return ['save ""', ...groups(words, 2).map((pair) => formatDirective('save', pair))];
    case 'client-output-buffer-limit':
      return groups(words, 4).map(([name = '', ...limits]) =>
        formatDirective(directive, [name === 'slave' ? 'replica' : name, ...limits]),
      );
    default:
      if (severalArguments.has(directive) && words.length > 0) return [formatDirective(directive, words)];
      return [formatDirective(directive, [value])];
  }
}

/** One form for values that mean the same, so that they can be compared across releases. */
export function normalValue(directive: string, value: string, release: string): string {
  switch (directive) {
    case 'client-output-buffer-limit':
      return groups(value.split(/\s+/).filter(Boolean), 4)
        .map(([name, ...limits]) => [name === 'slave' ? 'replica' : name, ...limits].join(' '))
        .sort()
        .join(' ');
    case 'notify-keyspace-events':
      return Array.from(value).sort().join('');
    case 'bind':
      // Up to 6.0 no bind means every address; from 6.2 on that has a name, and an empty one means none.
      return value === '' && !atLeast(release, 6, 2) ? '* -::*' : value;
    case 'oom-score-adj':
      return value === 'yes' ? 'relative' : value;
    default:
      return value.trim();
  }
}

const groups = (words: readonly string[], size: number): string[][] =>
  Array.from({ length: Math.ceil(words.length / size) }, (_, i) => words.slice(i * size, (i + 1) * size));
