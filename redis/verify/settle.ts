import { setTimeout as sleep } from 'node:timers/promises';
import { catchUp } from './catch-up.js';
import { differingElements } from './fields.js';
import { repairExpiries } from './repair-expiry.js';
import { planReads, type ReadPlan } from './plan.js';
import { difference, differingAt, fingerprint, namesDiffer, readKey, type Reading, type ReadInput } from './reading.js';
import { drift, gone, usable, type Side, type Sides } from './side.js';
import { isNamed, isValueType } from './values.js';
import { textOf } from '../resp.js';

export interface SettleOptions {
  ttlToleranceMs: number;
  /** How long the replica may take to catch up, each time, ms. */
  catchUpTimeoutMs: number;
  /** Set expiries right that are further apart than the tolerance. */
  repairExpiries?: boolean;
  signal?: AbortSignal | undefined;
}

export interface Settled {
  different: { key: Buffer; what: string }[];
  /** Written to so often that no two reads could be set against each other, and never once seen equal. */
  unsettled: Buffer[];
  /** Largest distance of two expiries that was seen to last, ms. */
  driftMs: number;
  /** Keys whose expiry was set right. */
  repaired: number;
}

interface Suspect {
  key: Buffer;
  plan: ReadPlan | undefined;
  /** Elements of a large collection that are looked at again; undefined before they have been searched for. */
  names: Buffer[] | undefined;
  /** More may differ than `names`: there were too many, or some were just being written to. */
  overflow: boolean;
  /** Elements that differed in each of the rounds that count as strikes. */
  struck: Set<string> | undefined;
  /** Rounds in which the primary's two reads agreed and the replica's differed. */
  strikes: number;
  /** Rounds in which neither copy had moved since the round before, or the replica's alone had not. */
  still: number;
  stuck: number;
  prints: [primary: string, replica: string];
  what: string;
  /** Its expiry was set right once; doing it again would not help. */
  repaired: boolean;
}

/** Pauses before each round, ms: what replication and clients have under way ends soon or never. */
const ROUNDS = [0, 5, 10, 20, 50, 100, 200, 300, 400, 500] as const;
/** Differing in so many rounds, with nothing moving in between, can't be a write under way. */
const STILL_ROUNDS = 3;
/** Differing each time while the key is rewritten in between: a value that flips to and fro gets past a few of them. */
const STRIKES = 6;
/** A copy that doesn't move while its primary's does. */
const STUCK_ROUNDS = 7;
const AT_ONCE = 64;
const NAMES = 256;

/**
 * Looks at suspects again until they settle. A round reads the primary, waits until the replica has passed the
 * primary's offset, reads the replica, and reads the primary again; it is judged against the replica only when the
 * primary's two reads agree. Equal once is equal: a replica that has lost a write doesn't find it again by itself.
 *
 * @throws RolloutError NotCaughtUp, Unreachable or NodeHung
 */
export async function settle(sides: Sides, keys: readonly Buffer[], options: SettleOptions): Promise<Settled> {
  const out: Settled = { different: [], unsettled: [], driftMs: 0, repaired: 0 };
  let open = keys.map(suspect);
  for (const pause of ROUNDS) {
    if (open.length === 0) break;
    if (pause > 0) await sleep(pause, undefined, options.signal ? { signal: options.signal } : {});
    const left: Suspect[] = [];
    for (let at = 0; at < open.length; at += AT_ONCE) {
      const some = open.slice(at, at + AT_ONCE);
      for (const [i, verdict] of (await round(sides, some, options, out)).entries()) {
        const it = some[i];
        if (!it || verdict === 'equal') continue;
        if (verdict === 'different') out.different.push({ key: it.key, what: it.what });
        else left.push(it);
      }
    }
    open = left;
  }
  out.unsettled = open.map(({ key }) => key);
  return out;
}

const suspect = (key: Buffer): Suspect => ({
  key,
  plan: undefined,
  names: undefined,
  overflow: false,
  struck: undefined,
  strikes: 0,
  still: 0,
  stuck: 0,
  prints: ['', ''],
  what: '',
  repaired: false,
});

/** Both copies expire, further apart than allowed, and nobody changed the primary's expiry in between. */
const isDrift = ([p1, r, p2]: Readings, toleranceMs: number): boolean =>
  Math.min(p1.expiresAt, r.expiresAt, p2.expiresAt) >= 0 &&
  drift(p1.expiresAt, r.expiresAt) > toleranceMs &&
  drift(p1.expiresAt, p2.expiresAt) <= 2;

type RoundVerdict = 'equal' | 'different' | 'open';

async function round(sides: Sides, some: Suspect[], options: SettleOptions, out: Settled): Promise<RoundVerdict[]> {
  const { fieldExpiry } = sides;
  await plan(sides, some);
  await catchUp(sides, options.catchUpTimeoutMs, options.signal);
  for (const it of some) await search(sides, it, options);
  const inputs = some.map(({ key, plan, names }) => ({ key, plan, names, fieldExpiry }));
  const all = await readAround(sides, inputs, options);
  const looked = some.map((it, i) => ({ it, readings: all[i] as Readings }));
  const drifted = looked
    .filter(({ it, readings }) => options.repairExpiries && !it.repaired && isDrift(readings, options.ttlToleranceMs))
    .map(({ it }) => it);
  const verdicts = looked.map(({ it, readings }) => judge(it, readings, options.ttlToleranceMs, out));
  const keys = drifted.map(({ key }) => key);
  out.repaired += await repairExpiries(sides.primary, keys);
  for (const it of drifted) it.repaired = true;
  // One that was set right just now has not had its chance yet.
  return verdicts.map((verdict, i) =>
    verdict === 'different' && drifted.includes(some[i] as Suspect) ? 'open' : verdict,
  );
}

/** How to read each, as the primary has it now. */
async function plan({ primary }: Sides, some: Suspect[]): Promise<void> {
  const replies = await primary.pipe.send(some.map(({ key }) => ['TYPE', key]));
  const typed = some.flatMap((it, i) => {
    const type = textOf(usable(primary, 'TYPE', replies[i]));
    return isValueType(type) ? [{ it, key: it.key, type }] : [];
  });
  const plans = await planReads(primary, typed);
  for (const it of some) it.plan = undefined;
  for (const [i, { it }] of typed.entries()) it.plan = plans[i];
  for (const it of some) if (it.plan?.how !== 'elements') it.names = undefined;
}

/**
 * Finds the elements of a large collection that may differ, scanning it from both nodes. No names are left when all
 * is the same.
 */
async function search(sides: Sides, it: Suspect, options: SettleOptions): Promise<void> {
  const { plan, key } = it;
  if (plan?.how !== 'elements' || !isNamed(plan.type) || it.names !== undefined) return;
  const { primary, replica, fieldExpiry } = sides;
  const { ttlToleranceMs } = options;
  const sifted = { allJudged: true };
  const sift = async (names: Buffer[]): Promise<Buffer[]> => {
    const [readings] = (await readAround(sides, [{ key, plan, names, fieldExpiry }], options)) as [Readings];
    const left = lasting(plan, readings, ttlToleranceMs);
    const still = steady(plan, readings, left, ttlToleranceMs);
    // What is being written to right now can't be judged, and mustn't take the place of what can.
    if (still.length < left.length) sifted.allJudged = false;
    return still;
  };
  const input = { type: plan.type, key, step: plan.step, fieldExpiry, ttlToleranceMs, limit: NAMES, sift };
  const forth = await differingElements(primary, replica, input);
  const back = forth === gone || forth.overflow ? gone : await differingElements(replica, primary, input);
  // Of another type by now, or too much differs to look for what only the replica has: enough is known for this round.
  if (forth === gone) return;
  const names = new Map([...forth.names, ...(back === gone ? [] : back.names)].map((n) => [n.toString('latin1'), n]));
  it.names = [...names.values()];
  it.overflow = !sifted.allJudged || back === gone || back.overflow;
}

type Readings = [p1: Reading, replica: Reading, p2: Reading];

/** The primary's copies, then the replica's once it has all of what the primary had, then the primary's again. */
async function readAround(
  sides: Sides,
  inputs: readonly ReadInput[],
  { catchUpTimeoutMs, signal }: SettleOptions,
): Promise<Readings[]> {
  const read = (side: Side): Promise<Reading[]> => Promise.all(inputs.map((it) => readKey(side, it)));
  const before = await read(sides.primary);
  await catchUp(sides, catchUpTimeoutMs, signal);
  const there = await read(sides.replica);
  const after = await read(sides.primary);
  return inputs.map((_, i) => [before[i], there[i], after[i]] as Readings);
}

/** The elements that are not as the primary had them before, nor as it has them after. */
function lasting(plan: ReadPlan, [p1, r, p2]: Readings, toleranceMs: number): Buffer[] {
  const later = new Set(differingAt(p2, r, plan, toleranceMs));
  return differingAt(p1, r, plan, toleranceMs).filter((name) => later.has(name));
}

/** Those of `names` that the primary has not written to between its two readings. */
function steady(plan: ReadPlan, [p1, , p2]: Readings, names: Buffer[], toleranceMs: number): Buffer[] {
  const moving = new Set(differingAt(p1, p2, plan, toleranceMs));
  return names.filter((name) => !moving.has(name));
}

function judge(it: Suspect, readings: Readings, toleranceMs: number, out: Settled): RoundVerdict {
  const [p1, r, p2] = readings;
  // Without PEXPIRETIME the same expiry comes out a millisecond or two apart.
  if (r.expiresAt >= 0 && p1.expiresAt >= 0 && drift(p1.expiresAt, p2.expiresAt) <= 2)
    out.driftMs = Math.max(out.driftMs, drift(p1.expiresAt, r.expiresAt));
  const found =
    it.plan?.how === 'elements'
      ? judgeElements(it, it.plan, readings, toleranceMs)
      : judgeWhole(it, readings, toleranceMs);
  if (found === undefined) return 'equal';
  it.what = found.what;
  const prints: Suspect['prints'] = [fingerprint(p2), fingerprint(r)];
  const moved = prints.map((print, i) => print !== it.prints[i]);
  it.prints = prints;
  it.strikes = found.steady ? it.strikes + 1 : it.strikes;
  it.still = found.steady && !moved[0] && !moved[1] ? it.still + 1 : 0;
  it.stuck = moved[1] || found.what === '' ? 0 : it.stuck + 1;
  return it.still >= STILL_ROUNDS || it.strikes >= STRIKES || it.stuck >= STUCK_ROUNDS ? 'different' : 'open';
}

/** `steady` when the primary's two reads agree; undefined when either is the same as the replica's. */
type Found = { what: string; steady: boolean } | undefined;

function judgeWhole({ plan }: Suspect, [p1, r, p2]: Readings, toleranceMs: number): Found {
  const what = difference(p1, r, plan, toleranceMs) && difference(p2, r, plan, toleranceMs);
  return what === undefined ? undefined : { what, steady: difference(p1, p2, plan, toleranceMs) === undefined };
}

/** Each element on its own: a large hash that is written to all the time is never the same twice as a whole. */
function judgeElements(it: Suspect, plan: ReadPlan, [p1, r, p2]: Readings, toleranceMs: number): Found {
  const head = judgeWhole({ ...it, plan: undefined }, [p1, r, p2], toleranceMs);
  if (head || it.names === undefined || r.type !== plan.type) return head ?? { what: '', steady: false };
  const left = lasting(plan, [p1, r, p2], toleranceMs);
  it.names = left.length === 0 && it.overflow ? undefined : left;
  if (it.names === undefined) return { what: '', steady: false };
  if (left.length === 0) return undefined;
  const still = steady(plan, [p1, r, p2], left, toleranceMs).map((name) => name.toString('latin1'));
  const again = still.filter((name) => it.struck?.has(name) ?? true);
  if (again.length === 0) it.strikes = 0;
  it.struck = again.length > 0 ? new Set(again) : undefined;
  return {
    what: namesDiffer(
      plan.type,
      again.length > 0 ? left.filter((name) => it.struck?.has(name.toString('latin1'))) : left,
    ),
    steady: again.length > 0,
  };
}
