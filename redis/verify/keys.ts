import { usable, type Side } from './side.js';
import { textOf } from '../resp.js';

export interface KeyBatch {
  keys: Buffer[];
  /** Where SCAN goes on after these; `0` when they are the last. */
  cursor: string;
}

const COUNT = 200;
/** Keys of a sample. */
export const SAMPLE = 10_000;
/** A small keyspace is drawn from in vain again and again; enough is enough. */
const DRAWS_PER_KEY = 4;

/**
 * Every key from a cursor on. One that is there all the time comes at least once, one that comes or goes meanwhile
 * may or may not. A cursor means something to the same server process only.
 */
export async function* scanKeys(side: Side, from: string): AsyncGenerator<KeyBatch> {
  for (let cursor = from; ;) {
    const reply = await side.pipe.ask('SCAN', cursor, 'COUNT', COUNT);
    if (!Array.isArray(reply) || !Array.isArray(reply[1]))
      throw new TypeError(`${side.pipe.address} answered SCAN with ${typeof reply}`);
    cursor = textOf(reply[0]);
    yield { keys: reply[1].filter((key) => Buffer.isBuffer(key)), cursor };
    if (cursor === '0') return;
  }
}

/** `wanted` different random keys, fewer where the keyspace is smaller; all of them where it is not larger. */
export async function* randomKeys(side: Side, wanted: number): AsyncGenerator<KeyBatch> {
  const size = Number(await side.pipe.ask('DBSIZE'));
  if (size <= wanted) {
    yield* scanKeys(side, '0');
    return;
  }
  const seen = new Set<string>();
  for (let draws = 0; seen.size < wanted && draws < wanted * DRAWS_PER_KEY; draws += COUNT) {
    const replies = await side.pipe.send(Array.from({ length: COUNT }, () => ['RANDOMKEY'] as const));
    const keys: Buffer[] = [];
    for (const reply of replies) {
      const key = usable(side, 'RANDOMKEY', reply);
      if (!Buffer.isBuffer(key) || seen.size >= wanted || seen.has(key.toString('latin1'))) continue;
      seen.add(key.toString('latin1'));
      keys.push(key);
    }
    yield { keys, cursor: '0' };
  }
}
