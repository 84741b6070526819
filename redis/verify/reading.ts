import { createHash } from 'node:crypto';
import { digestList, digestStream, digestString, firstDifferent, type Digest } from './chunks.js';
import { fieldDrift, fieldExpiryCommands, lookupValues } from './fields.js';
import type { ReadPlan } from './plan.js';
import { drift, expiryCommand, expiryOf, gone, timeOf, usable, type Side } from './side.js';
import * as values from './values.js';
import { textOf, type Command, type Reply } from '../resp.js';

/** One key as one node had it at one moment; of large collections only the elements under suspicion. */
export interface Reading {
  side: Side;
  type: string;
  expiresAt: number;
  /** The node's clock, Unix ms. */
  now: number;
  value?: Reply | Digest;
  /** Names that the value's or the fields' positions stand for. */
  names?: readonly Buffer[];
  fieldExpiries?: Reply;
}

export interface ReadInput {
  key: Buffer;
  /** Absent for keys whose value isn't compared: missing ones, and modules' types. */
  plan?: ReadPlan | undefined;
  /** Of a plan by elements. */
  names?: readonly Buffer[] | undefined;
  fieldExpiry: boolean;
}

export async function readKey(side: Side, { key, plan, names, fieldExpiry }: ReadInput): Promise<Reading> {
  const commands = plan ? valueCommands(plan, key, names) : [];
  const replies = await side.pipe.send([['TIME'], ['TYPE', key], expiryCommand(side, key), ...commands]);
  const now = timeOf(side, replies[0]);
  const type = textOf(usable(side, 'TYPE', replies[1]));
  const reading: Reading = { side, type, expiresAt: expiryOf(side, replies[2], now), now };
  if (!plan || type !== plan.type) return reading;
  const value = await valueOf(side, key, plan, replies.slice(3));
  if (value === gone) return { ...reading, type: 'none' };
  const fields = fieldNames(plan, value, names);
  const expiry = fieldExpiry && plan.type === 'hash' ? fieldExpiryCommands(key, fields) : [];
  const [fieldExpiries] = await side.pipe.send(expiry);
  return { ...reading, value, names: fields, ...(fieldExpiries === undefined ? {} : { fieldExpiries }) };
}

function valueCommands({ type, how }: ReadPlan, key: Buffer, names: readonly Buffer[] | undefined): Command[] {
  if (how === 'whole' && type !== 'stream') return [values.wholeCommand(type, key)];
  return how === 'elements' && values.isNamed(type) ? values.lookupCommands(type, key, names ?? []) : [];
}

async function valueOf(
  side: Side,
  key: Buffer,
  plan: ReadPlan,
  replies: Reply[],
): Promise<Reply | Digest | typeof gone> {
  if (plan.how === 'whole') return usable(side, 'the read of a value', replies[0]);
  if (plan.how === 'elements' && values.isNamed(plan.type)) return lookupValues(side, plan.type, replies);
  if (plan.type === 'string') return digestString(side, key);
  return plan.type === 'list' ? digestList(side, key, plan.step) : digestStream(side, key, plan.step);
}

function fieldNames(plan: ReadPlan, value: Reply | Digest, names: readonly Buffer[] | undefined): readonly Buffer[] {
  if (names) return names;
  return plan.how === 'whole' && values.isNamed(plan.type) && Array.isArray(value)
    ? values.elements(plan.type, value).map(([name]) => name)
    : [];
}

/**
 * What is different between two readings, in words for a person; undefined when nothing is. A key that is about to
 * expire on one node and has on the other is no difference: their clocks are two.
 */
export function difference(
  a: Reading,
  b: Reading,
  plan: ReadPlan | undefined,
  toleranceMs: number,
): string | undefined {
  if (a.type !== b.type) {
    if (isExpiring(a, toleranceMs) && b.type === 'none') return undefined;
    if (isExpiring(b, toleranceMs) && a.type === 'none') return undefined;
    if (b.type === 'none') return `missing on the replica (a ${a.type} on the primary)`;
    if (a.type === 'none') return `only on the replica (a ${b.type})`;
    return `a ${a.type} on the primary, a ${b.type} on the replica`;
  }
  if (a.type === 'none') return undefined;
  const distance = drift(a.expiresAt, b.expiresAt);
  if (distance > toleranceMs) return `expires ${moment(a)} on the primary, ${moment(b)} on the replica`;
  return plan && valueDifference(a, b, plan, toleranceMs);
}

const isExpiring = (it: Reading, toleranceMs: number): boolean =>
  it.type !== 'none' && it.expiresAt >= 0 && it.expiresAt - it.now <= toleranceMs;

const moment = ({ expiresAt }: Reading): string => (expiresAt < 0 ? 'never' : new Date(expiresAt).toISOString());

function valueDifference(a: Reading, b: Reading, plan: ReadPlan, toleranceMs: number): string | undefined {
  const [x, y] = [a.value, b.value];
  if (x === undefined || y === undefined) return undefined;
  if (isDigest(x) || isDigest(y)) {
    const piece = isDigest(x) && isDigest(y) ? firstDifferent(x, y) : 'the value';
    return piece && `${plan.type}: ${piece} differ`;
  }
  if (plan.how === 'elements') {
    const names = differingAt(a, b, plan, toleranceMs);
    return names.length === 0 ? undefined : namesDiffer(plan.type, names);
  }
  if (!values.sameWhole(plan.type as Exclude<values.ValueType, 'stream'>, x, y))
    return wholeDifference(plan.type, x, y);
  if (a.fieldExpiries === undefined || b.fieldExpiries === undefined) return undefined;
  const late = differingExpiries(a, b, toleranceMs)[0];
  return late && `hash: the expiry of field ${values.printable(late)} differs`;
}

function wholeDifference(type: values.ValueType, a: Reply, b: Reply): string {
  if (!Array.isArray(a) || !Array.isArray(b))
    return `${type}: ${values.bytesOf(a)} bytes on the primary, other ${values.bytesOf(b)} bytes on the replica`;
  if (values.isNamed(type)) {
    return namesDiffer(type, values.differingNames(type, a, b));
  }
  if (a.length !== b.length) return `${type}: ${a.length} elements on the primary, ${b.length} on the replica`;
  return `${type}: element ${a.findIndex((element, i) => !values.sameBytes(element, b[i]))} differs`;
}

const kinds: Partial<Record<values.ValueType, string>> = { hash: 'field', set: 'member', zset: 'member' };

/** `hash: field email differs (and 3 more)`. */
export function namesDiffer(type: values.ValueType, [first = Buffer.alloc(0), ...others]: Buffer[]): string {
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
  return `${type}: ${kinds[type] ?? 'element'} ${values.printable(first)} differs${more}`;
}

/** Of two readings by elements: the names whose value or expiry isn't the same. */
export function differingAt(a: Reading, b: Reading, plan: ReadPlan, toleranceMs: number): Buffer[] {
  const { type } = plan;
  const names = a.names ?? [];
  if (!values.isNamed(type) || !Array.isArray(a.value) || !Array.isArray(b.value)) return [...names];
  const [x, y] = [a.value, b.value];
  const late = new Set(differingExpiries(a, b, toleranceMs));
  return names.filter((name, i) => late.has(name) || !values.sameElement(type, x[i], y[i]));
}

function differingExpiries(a: Reading, b: Reading, toleranceMs: number): Buffer[] {
  if (a.fieldExpiries === undefined || b.fieldExpiries === undefined) return [];
  // The order of fields may differ between the nodes.
  const at = new Map((b.names ?? []).map((name, i) => [name.toString('latin1'), i]));
  const right = Array.isArray(b.fieldExpiries) ? b.fieldExpiries : [];
  const aligned = (a.names ?? []).map((name) => right[at.get(name.toString('latin1')) ?? -1] ?? null);
  return (a.names ?? []).filter((_, i) => !(fieldDrift(a.side, a.fieldExpiries, b.side, aligned, i) <= toleranceMs));
}

/** The same for readings of the same content, expiry aside: does a node's copy move at all? */
export function fingerprint({ type, expiresAt, value, names }: Reading): string {
  const hash = createHash('sha256').update(`${type} ${expiresAt < 0}`);
  if (value !== undefined && isDigest(value)) return hash.update(value.marks.join()).digest('base64');
  const parts = Array.isArray(value) ? value.map(text) : [text(value ?? null)];
  const labels = (names ?? []).map((name) => name.toString('latin1'));
  if (type === 'hash' || type === 'set' || type === 'zset') parts.sort();
  return hash.update(JSON.stringify([parts, labels.sort()])).digest('base64');
}

const text = (reply: Reply): string => (Buffer.isBuffer(reply) ? reply.toString('latin1') : JSON.stringify(reply));

const isDigest = (value: Reply | Digest): value is Digest =>
  typeof value === 'object' && value !== null && 'marks' in value;
