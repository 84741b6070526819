import type { TimelineEntry } from '../../../model/operation.js';
import { formatDuration } from '../../../model/duration.js';

/** `10:24:48 shard-1 10.0.0.5:6379 rejoined by partial resync (1.2 s)`: one entry of the timeline in a log. */
export function timelineLine({ at, until, kind, shard, node, text }: TimelineEntry): string {
  const where = [shard, node].filter((it) => it !== undefined && !text.includes(it)).join(' ');
  const took = until === undefined ? '' : ` (${formatDuration(Date.parse(until) - Date.parse(at))})`;
  return `${at.slice(11, 19)} ${kind.padEnd(8)} ${where === '' ? '' : `${where} `}${text}${took}`;
}
