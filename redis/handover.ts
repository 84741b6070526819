import { RolloutError } from '../model/failures.js';
import { couldReplace } from '../model/handover.js';
import { fail, pass, type Verdict } from '../model/verdict.js';
import { at } from './connection.js';
import { failOver, type Voting } from './election.js';
import { poll, roleDoubts, roleOf } from './roles.js';
import { mustContinue, openToAct, takeOver, whyNotFast, type TakeoverInput } from './takeover.js';
import { readAccount, type NodeAccount } from './account.js';

/** How long a takeover waits for what passes: nodes of other shards restart while theirs are upgraded, ms. */
const PASSES_WITHIN_MS = 10_000;

export interface HandoverInput extends TakeoverInput, Voting {
  /** The shard's other replicas, which must follow `to` afterwards. */
  siblings: readonly string[];
  mode: 'safe' | 'fast';
  /** How long every node may take to show the new roles, ms. */
  confirmWithinMs: number;
  /** An earlier attempt has seen `to` as primary: if it is none now, somebody took the role from it. */
  tookOver?: boolean;
  /** Has the process of `from` ended, as far as the machine that it runs on can tell? */
  hasEnded?: () => Promise<boolean>;
  /** Called as soon as `to` is seen as primary, before the others are asked. */
  onTakenOver?: () => Promise<void>;
}

export interface HandoverResult {
  mode: 'safe' | 'fast';
  /** Why `fast` was not taken, where it was asked for. */
  fellBack?: string;
  /** From the command until the successor called itself primary, ms; 0 when it already was. */
  ms: number;
  /** When the command was sent, Unix ms. */
  at: number;
  /** True when an earlier attempt had done it. */
  already: boolean;
}

/** How long a link that is down, or a load, may take to pass before the handover is refused. */
const READY_WITHIN_MS = 10_000;

/**
 * Moves the primary role of a shard from `from` to `to` without losing an acknowledged write, and believes it only when
 * those who decide show it (`roleDoubts`). Safe to run again: a handover that an earlier attempt carried out is confirmed, not repeated.
 *
 * - `safe` is CLUSTER FAILOVER: the primary stops writes, the replica catches up to its offset and is elected.
 * - `fast` (both ends ≥ 6.2) pauses writes, waits for equal offsets and takes over without a vote; measured at 4–6 ms.
 *
 * @throws RolloutError HandoverFailed when nothing was done, or the old primary still serves; Stopped when somebody took
 *   the role from the successor at once; RolesUnsettled, Lost; NodeHung, Unreachable
 */
export async function handOver(input: HandoverInput): Promise<HandoverResult> {
  const { endpoint, from, to, confirmWithinMs, signal } = input;
  await using successor = await openToAct(input, to);
  const begun = Date.now();
  let result: HandoverResult;
  // Of a takeover by an earlier attempt nobody knows.
  let held = false;
  const byVote = async (): Promise<HandoverResult> => ({
    ...{ mode: 'safe', already: false },
    ...(await failOver(input, successor, () => isDone(input))),
  });
  const role = await roleOf(successor);
  if (role === 'replica' && input.tookOver === true) throw await failedBack(input);
  if (role === 'primary' || (await isDone(input))) result = { mode: input.mode, ms: 0, at: begun, already: true };
  else {
    const reason = input.mode === 'fast' ? await objection(input) : undefined;
    if (input.mode === 'fast' && reason === undefined) {
      const outcome = await takeOver(input, successor);
      if ('refused' in outcome) result = { ...(await byVote()), fellBack: outcome.refused };
      else {
        held = outcome.held;
        result = { mode: 'fast', ms: outcome.ms, at: outcome.at, already: false };
      }
    } else result = { ...(await byVote()), ...(reason === undefined ? {} : { fellBack: reason }) };
  }
  await input.onTakenOver?.();

  const look = (replicas: readonly string[]) => roleDoubts(endpoint, { primary: to, replicas });
  const back = `${to} calls itself a replica`;
  const { doubts, ended } = await poll(
    async () => {
      let left = await look([from, ...input.siblings]);
      // A process that has ended shows no role any more, and serves nobody.
      const gone = left.some((doubt) => doubt.startsWith(from)) && (await input.hasEnded?.()) === true;
      if (gone) left = await look(input.siblings);
      await unchain(input, left);
      return { doubts: left, ended: gone };
    },
    (now) => now.doubts.length === 0 || now.doubts.includes(back),
    { everyMs: 100, withinMs: confirmWithinMs, ...(signal ? { signal } : {}) },
  );
  if (doubts.includes(back)) throw await failedBack(input);
  if (doubts.length > 0)
    throw new RolloutError(
      'RolesUnsettled',
      `${to} is primary, but after ${confirmWithinMs} ms not everyone shows it: ${doubts.slice(0, 5).join('; ')}`,
    );
  // The primary of a vote holds its writes by itself.
  if (result.mode === 'fast' && !held && !ended) await mustContinue(input);
  return result;
}

/**
 * Never handed over again: what the successor has now it took from whoever is primary, and nobody has compared it since.
 */
async function failedBack({ endpoint, from, to }: HandoverInput): Promise<RolloutError> {
  const { node } = await readAccount(at(endpoint, to));
  return new RolloutError(
    'Stopped',
    `${to} took over from ${from} and replicates ${node.replication?.primary ?? 'nobody'} again: somebody else failed the shard over at once; find out who, and start again`,
  );
}

/**
 * Are these two still primary and replica of each other, and the replica fit to take over? Asked before every command: an
 * attempt may be the retry of one whose worker died, and somebody may have failed the shard over in between.
 *
 * @returns true when `to` is primary already
 * @throws RolloutError HandoverFailed before anything was done
 */
async function isDone({ endpoint, from, to, signal }: HandoverInput): Promise<boolean> {
  let done = false;
  const verdict = await poll(
    async () => {
      const [old, next] = await Promise.all([readAccount(at(endpoint, from)), readAccount(at(endpoint, to))]);
      done = next.node.role === 'primary';
      return done ? pass() : judgePair(old, next, from);
    },
    ({ state }) => state !== 'wait',
    { everyMs: 100, withinMs: READY_WITHIN_MS, ...(signal ? { signal } : {}) },
  );
  if (verdict.state !== 'pass')
    throw new RolloutError('HandoverFailed', `${from} → ${to}: ${verdict.reason}; nothing was done`);
  return done;
}

function judgePair(old: NodeAccount, next: NodeAccount, from: string): Verdict {
  const to = next.node.address;
  const upstream = next.node.replication?.primary ?? 'nobody';
  if (old.node.role !== 'primary')
    return fail(
      `${from} is no primary any more, ${old.node.replication?.primary ?? '?'} is; ${to} replicates ${upstream}`,
      'start again: the roles are read anew',
    );
  // By its id, and by every address that either of the two has of it: `from` may be a name that only we use.
  const known = [old, next].flatMap(({ peers }) => peers.filter(({ id }) => id === old.node.id));
  const names = [from, ...known.map(({ address }) => address)].map(plain);
  const follows = next.peers.find((peer) => peer.myself)?.primaryId === old.node.id && names.includes(plain(upstream));
  if (!follows)
    return fail(`${from} is primary, but ${to} replicates ${upstream}`, 'start again: the roles are read anew');
  return couldReplace({ ...old.node, address: upstream }, next.node);
}

const plain = (address: string): string => address.toLowerCase().replace(/[[\]]/g, '');

/** A sibling can stay chained to the old primary (redis#15472): point it at the new one. */
async function unchain(input: HandoverInput, doubts: readonly string[]): Promise<void> {
  const { endpoint, to } = input;
  const chained = input.siblings.filter((address) => doubts.some((it) => it.startsWith(`${address} replicates `)));
  if (chained.length === 0 || doubts.some((doubt) => doubt.includes(`doesn't know ${to}`))) return;
  const { node } = await readAccount(at(endpoint, to));
  await Promise.all(
    chained.map(async (address) => {
      await using sibling = await openToAct(input, address);
      await sibling.call('CLUSTER', 'REPLICATE', node.id).catch(() => {
        // It may have turned by itself in between; the next look tells.
      });
    }),
  );
}

/** Why it can't be fast, once what passes has had its time. */
async function objection(input: HandoverInput): Promise<string | undefined> {
  const { signal } = input;
  const timing = { everyMs: 200, withinMs: PASSES_WITHIN_MS, ...(signal ? { signal } : {}) };
  return (
    await poll(
      () => whyNotFast(input),
      (found) => found?.passing !== true,
      timing,
    )
  )?.why;
}
