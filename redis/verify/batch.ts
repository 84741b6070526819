import { digestList, digestStream, digestString, firstDifferent } from './chunks.js';
import { differingElements, fieldDrift, fieldExpiryCommands } from './fields.js';
import { planReads, type ReadPlan } from './plan.js';
import { drift, expiryCommand, expiryOf, gone, timeOf, usable, type Side, type Sides } from './side.js';
import * as values from './values.js';
import { textOf, type Command, type Reply } from '../resp.js';

/** What one batch of keys came to. Candidates may differ, or may only have been written to between two reads. */
export interface BatchResult {
  keys: number;
  bytes: number;
  /** Keys of types that only a module understands, by type; their type and expiry are compared all the same. */
  notComparable: Record<string, number>;
  /** Which these are. */
  unread: Item<string>[];
  candidates: Buffer[];
  /** Expiries that differ by no more than the tolerance, ms. */
  drifts: { key: Buffer; ms: number }[];
}

interface Item<T extends string = values.ValueType> {
  key: Buffer;
  type: T;
}

/** Most bytes that one flight of whole collections brings from each node, as MEMORY USAGE estimates it. */
const FLIGHT_BYTES = 4 * 1024 * 1024;
const STREAMS_AT_ONCE = 64;

/** Compares keys of the primary with the replica's in two or three round trips for all of them together. */
export async function compareBatch(
  sides: Sides,
  keys: readonly Buffer[],
  ttlToleranceMs: number,
): Promise<BatchResult> {
  const { primary, replica } = sides;
  const out: BatchResult = { keys: 0, bytes: 0, notComparable: {}, unread: [], candidates: [], drifts: [] };
  const [here, there] = await Promise.all([heads(primary, keys), heads(replica, keys)]);
  const strings: Buffer[] = [];
  const collections: Item[] = [];
  for (const [i, key] of keys.entries()) {
    const [a, b] = [here[i], there[i]];
    if (!a || !b || (a.type === 'none' && b.type === 'none')) continue;
    out.keys++;
    const distance = drift(a.expiresAt, b.expiresAt);
    if (a.type !== b.type || distance > ttlToleranceMs) {
      out.candidates.push(key);
      continue;
    }
    if (distance > 0) out.drifts.push({ key, ms: distance });
    if (a.type === 'string') strings.push(key);
    else if (values.isValueType(a.type)) collections.push({ key, type: a.type });
    else {
      out.notComparable[a.type] = (out.notComparable[a.type] ?? 0) + 1;
      out.unread.push({ key, type: a.type });
    }
  }
  await Promise.all([
    compareStrings(sides, strings, out),
    collections.length > 0 && compareCollections(sides, collections, ttlToleranceMs, out),
  ]);
  return out;
}

/** Keys that the replica has and the primary hasn't. */
export async function findExtra(sides: Sides, keys: readonly Buffer[]): Promise<Buffer[]> {
  const replies = await sides.primary.pipe.send(keys.map((key) => ['TYPE', key]));
  return keys.filter((_, i) => textOf(usable(sides.primary, 'TYPE', replies[i])) === 'none');
}

async function heads(side: Side, keys: readonly Buffer[]): Promise<{ type: string; expiresAt: number }[]> {
  const commands: Command[] = [['TIME']];
  for (const key of keys) commands.push(['TYPE', key], expiryCommand(side, key));
  commands.push(['TIME']);
  const replies = await side.pipe.send(commands);
  const [start, end] = [timeOf(side, replies[0]), timeOf(side, replies.at(-1))];
  return keys.map((_, i) => ({
    type: textOf(usable(side, 'TYPE', replies[1 + 2 * i])),
    expiresAt: expiryOf(side, replies[2 + 2 * i], start + ((end - start) * i) / keys.length),
  }));
}

async function compareStrings(sides: Sides, keys: Buffer[], out: BatchResult): Promise<void> {
  const commands = keys.map((key) => values.wholeCommand('string', key));
  const [here, there] = await both(sides, commands);
  for (const [i, key] of keys.entries()) {
    const a = usable(sides.primary, 'GETRANGE', here[i]);
    const b = usable(sides.replica, 'GETRANGE', there[i]);
    if (a === gone || b === gone) out.candidates.push(key);
    else if (!values.sameWhole('string', a, b)) out.candidates.push(key);
    else if (Buffer.isBuffer(a) && a.length === values.WHOLE_BYTES) {
      const same = await compareChunks(sides, key, digestString, out);
      if (!same) out.candidates.push(key);
    } else out.bytes += values.bytesOf(a);
  }
}

async function compareCollections(sides: Sides, items: Item[], tolerance: number, out: BatchResult): Promise<void> {
  const plans = await planReads(sides.primary, items);
  const whole: { key: Buffer; plan: ReadPlan }[] = [];
  const streams: { key: Buffer; plan: ReadPlan }[] = [];
  for (const [i, { key }] of items.entries()) {
    const plan = plans[i];
    if (!plan) out.candidates.push(key);
    else if (plan.how === 'whole') whole.push({ key, plan });
    else if (plan.type === 'stream') streams.push({ key, plan });
    else if (!(await compareLarge(sides, key, plan, tolerance, out))) out.candidates.push(key);
  }
  for (let from = 0, to = 0; from < whole.length; from = to) {
    for (let bytes = 0; to < whole.length && (to === from || bytes < FLIGHT_BYTES); to++)
      bytes += whole[to]?.plan.memory ?? 0;
    await compareWhole(sides, whole.slice(from, to), tolerance, out);
  }
  for (let from = 0; from < streams.length; from += STREAMS_AT_ONCE)
    await Promise.all(
      streams.slice(from, from + STREAMS_AT_ONCE).map(async ({ key, plan }) => {
        const same = await compareChunks(sides, key, (side) => digestStream(side, key, plan.step), out);
        if (!same) out.candidates.push(key);
      }),
    );
}

async function compareWhole(
  sides: Sides,
  items: { key: Buffer; plan: ReadPlan }[],
  tolerance: number,
  out: BatchResult,
): Promise<void> {
  const commands = items.map(({ key, plan }) =>
    values.wholeCommand(plan.type as Exclude<values.ValueType, 'stream'>, key),
  );
  const [here, there] = await both(sides, commands);
  const hashes: { key: Buffer; names: Buffer[] }[] = [];
  for (const [i, { key, plan }] of items.entries()) {
    const name = commands[i]?.[0] ?? '';
    const a = usable(sides.primary, name, here[i]);
    const b = usable(sides.replica, name, there[i]);
    const type = plan.type as Exclude<values.ValueType, 'stream'>;
    if (a === gone || b === gone || !values.sameWhole(type, a, b)) out.candidates.push(key);
    else {
      out.bytes += values.bytesOf(a);
      if (type === 'hash' && sides.fieldExpiry && Array.isArray(a) && a.length > 0)
        hashes.push({ key, names: values.elements(type, a).map(([field]) => field) });
    }
  }
  const expiries = await both(
    sides,
    hashes.flatMap(({ key, names }) => fieldExpiryCommands(key, names)),
  );
  for (const [i, { key, names }] of hashes.entries()) {
    const distance = (_: Buffer, n: number): number =>
      fieldDrift(sides.primary, expiries[0][i], sides.replica, expiries[1][i], n);
    if (!names.every((field, n) => distance(field, n) <= tolerance)) out.candidates.push(key);
  }
}

/** True when the same; counts the bytes. */
async function compareLarge(
  sides: Sides,
  key: Buffer,
  plan: ReadPlan,
  ttlToleranceMs: number,
  out: BatchResult,
): Promise<boolean> {
  if (!values.isNamed(plan.type)) return compareChunks(sides, key, (side) => digestList(side, key, plan.step), out);
  const { primary, replica, fieldExpiry, watches } = sides;
  const input = { type: plan.type, key, step: plan.step, fieldExpiry, ttlToleranceMs, limit: 1 };
  const covers = async (from: Side, to: Side): Promise<boolean> => {
    const result = await differingElements(from, to, input);
    if (result === gone || result.names.length > 0) return false;
    if (from === primary) out.bytes += result.bytes;
    return true;
  };
  const count = async ({ pipe }: Side): Promise<Reply | undefined> =>
    (await pipe.send([values.lengthCommand(input.type, key)]))[0];
  // The replica has all that the primary has: it has nothing else when it has as many, if that number means one and the
  // same content. Of a key that is written to it doesn't.
  const asMany = await watches?.untouched(key, async () => {
    if (!(await covers(primary, replica))) return false;
    await watches.reach();
    const there = await count(replica);
    return typeof there === 'number' && there === (await count(primary));
  });
  return asMany ?? ((await covers(primary, replica)) && (await covers(replica, primary)));
}

async function compareChunks(
  sides: Sides,
  key: Buffer,
  read: (side: Side, key: Buffer) => ReturnType<typeof digestString>,
  out: BatchResult,
): Promise<boolean> {
  const [a, b] = await Promise.all([read(sides.primary, key), read(sides.replica, key)]);
  if (a === gone || b === gone || firstDifferent(a, b) !== undefined) return false;
  out.bytes += a.bytes;
  return true;
}

async function both(sides: Sides, commands: Command[]): Promise<[Reply[], Reply[]]> {
  return Promise.all([sides.primary.pipe.send(commands), sides.replica.pipe.send(commands)]);
}
