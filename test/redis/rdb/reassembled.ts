import { createHash } from 'node:crypto';
import type { Elements, PendingEntry, StreamEntry, StreamFacts, StreamGroup } from '../../../redis/rdb/elements.js';

export interface WholeStream {
  entries: StreamEntry[];
  about?: StreamFacts;
  groups: StreamGroup[];
  consumers: { group: string; consumer: string; pending: PendingEntry[] }[];
}

/** Pieces of one value put together again. */
export interface Whole {
  type: string;
  string?: Buffer;
  elements: Buffer[];
  scores: number[];
  expiries: Map<string, number>;
  stream: WholeStream;
  module?: string;
}

/** The same for the same value: a test runner takes minutes to compare long buffers. */
export function fingerprint(whole: unknown): string {
  const hash = createHash('sha256');
  const feed = (value: unknown): void => {
    if (Buffer.isBuffer(value)) hash.update(`b${value.length}:`).update(value);
    else if (Array.isArray(value) || value instanceof Map) {
      hash.update(`a${[...value].length}:`);
      for (const inner of value) feed(inner);
    } else if (typeof value === 'object' && value !== null) feed(Object.entries(value));
    else hash.update(Object.is(value, -0) ? 'n-0;' : `${typeof value}${String(value)};`);
  };
  feed(whole);
  return hash.digest('hex');
}

export function reassembled(parts: Iterable<Elements>): Whole {
  const whole: Whole = {
    type: '',
    elements: [],
    scores: [],
    expiries: new Map(),
    stream: { entries: [], groups: [], consumers: [] },
  };
  for (const part of parts) add(whole, part);
  return whole;
}

export function add(whole: Whole, part: Elements): void {
  whole.type = part.type;
  if (part.type === 'string') whole.string = part.value;
  else if (part.type === 'module') whole.module = part.name;
  else if (part.type === 'stream') addToStream(whole.stream, part);
  else {
    whole.elements.push(...part.elements);
    if (part.type === 'zset') whole.scores.push(...part.scores);
    if (part.type === 'hash')
      for (const { field, at } of part.expiries ?? []) whole.expiries.set(field.toString('latin1'), at);
  }
}

function addToStream(stream: WholeStream, part: Elements & { type: 'stream' }): void {
  if (part.piece === 'entries') stream.entries.push(...part.entries);
  else if (part.piece === 'about') stream.about = part.about;
  else if (part.piece === 'group') stream.groups.push(part.group);
  else {
    const [group, consumer] = [part.group.toString('latin1'), part.consumer.toString('latin1')];
    const known = stream.consumers.find((it) => it.group === group && it.consumer === consumer);
    if (known) known.pending.push(...part.pending);
    else stream.consumers.push({ group, consumer, pending: [...part.pending] });
  }
}
