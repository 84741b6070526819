import { setTimeout as sleep } from 'node:timers/promises';
import { catchUp } from './catch-up.js';
import type { SettleOptions } from './settle.js';
import type { Side, Sides } from './side.js';
import { textOf, type Reply } from '../resp.js';

export interface FunctionsResult {
  libraries: number;
  different: { library: string; what: string }[];
}

const PAUSES = [0, 20, 100, 300] as const;

/** Compares the code of every function library (7.0 and newer on both nodes); what differs is looked at again. */
export async function compareFunctions(sides: Sides, options: SettleOptions): Promise<FunctionsResult> {
  let result: FunctionsResult = { libraries: 0, different: [] };
  for (const pause of PAUSES) {
    if (pause > 0) await sleep(pause, undefined, options.signal ? { signal: options.signal } : {});
    const here = await libraries(sides.primary);
    await catchUp(sides, options.catchUpTimeoutMs, options.signal);
    result = compare(here, await libraries(sides.replica));
    if (result.different.length === 0) break;
  }
  return result;
}

function compare(here: Map<string, string>, there: Map<string, string>): FunctionsResult {
  const different: FunctionsResult['different'] = [];
  for (const library of new Set([...here.keys(), ...there.keys()])) {
    const [a, b] = [here.get(library), there.get(library)];
    if (a === b) continue;
    const what =
      b === undefined ? 'missing on the replica' : a === undefined ? 'only on the replica' : 'its code differs';
    different.push({ library, what: `function library: ${what}` });
  }
  return { libraries: here.size, different };
}

async function libraries(side: Side): Promise<Map<string, string>> {
  const list = await side.pipe.ask('FUNCTION', 'LIST', 'WITHCODE');
  const found = new Map<string, string>();
  for (const library of Array.isArray(list) ? list : []) {
    const fields = new Map<string, Reply>();
    if (Array.isArray(library))
      for (let i = 0; i < library.length; i += 2) fields.set(textOf(library[i]), library[i + 1] ?? null);
    const [name, code] = [fields.get('library_name'), fields.get('library_code')];
    if (Buffer.isBuffer(name) && Buffer.isBuffer(code)) found.set(name.toString('latin1'), code.toString('latin1'));
  }
  return found;
}
