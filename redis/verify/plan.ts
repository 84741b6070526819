import { usable, type Side } from './side.js';
import { isNamed, lengthCommand, WHOLE_BYTES, WHOLE_ELEMENTS, WHOLE_MEMORY, type ValueType } from './values.js';
import type { Command } from '../resp.js';

/** How one value is read, decided on the primary and followed on both nodes. */
export interface ReadPlan {
  type: ValueType;
  /** `whole`: in one reply. `chunks`: digests of pieces in order. `elements`: scanned here and looked up there. */
  how: 'whole' | 'chunks' | 'elements';
  /** Elements a piece, so that a piece stays near 1 MB. */
  step: number;
  /** Estimated bytes in memory. */
  memory: number;
}

const PIECE_BYTES = 1024 * 1024;
const LARGEST_STEP = 1000;

/** Asks the node how large the values are; undefined for a key that is of another type by now. */
export async function planReads(
  side: Side,
  items: readonly { key: Buffer; type: ValueType }[],
): Promise<(ReadPlan | undefined)[]> {
  const commands = items.flatMap(({ key, type }): Command[] => [
    lengthCommand(type, key),
    // Element counts say nothing of element sizes, and a reply is held in memory.
    ['MEMORY', 'USAGE', key, 'SAMPLES', 5],
  ]);
  const replies = await side.pipe.send(commands);
  return items.map(({ type }, i) => {
    const length = usable(side, lengthCommand(type, Buffer.alloc(0))[0], replies[2 * i]);
    if (typeof length !== 'number') return undefined;
    const usage = replies[2 * i + 1];
    // A user without MEMORY still gets its comparison, in careful steps.
    const memory = typeof usage === 'number' ? usage : Math.max(WHOLE_MEMORY, length * 16 * 1024);
    return choose(type, length, memory);
  });
}

function choose(type: ValueType, length: number, memory: number): ReadPlan {
  const step = Math.min(LARGEST_STEP, Math.max(1, Math.floor(PIECE_BYTES / (memory / Math.max(1, length)))));
  const small = type === 'string' ? length < WHOLE_BYTES : length <= WHOLE_ELEMENTS && memory <= WHOLE_MEMORY;
  if (type === 'stream') return { type, how: 'chunks', step, memory };
  if (small) return { type, how: 'whole', step, memory };
  return { type, how: isNamed(type) ? 'elements' : 'chunks', step, memory };
}
