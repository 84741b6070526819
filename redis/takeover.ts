import { setTimeout as sleep } from 'node:timers/promises';
import { RolloutError } from '../model/failures.js';
import { mayTakeOver } from '../model/handover.js';
import { at, connect, type Endpoint, type NodeConnection } from './connection.js';
import { parseInfo, releaseFromInfo } from './info.js';
import { readInfo } from './node.js';
import { poll, roleOf, whetherItServes } from './roles.js';
import { readAccount } from './account.js';
import { observePrimaries } from './topology.js';

export interface TakeoverInput {
  endpoint: Endpoint;
  /** Opens what the commands that change something go over; an attempt that was overtaken gets none. */
  connectToAct?: (address: string) => Promise<NodeConnection>;
  /** The primary that gives its role away, and the replica that takes it. */
  from: string;
  to: string;
  /** Every node of the cluster, the shard's included. */
  nodes: readonly string[];
}

/** Bounds the harm of a takeover whose worker dies: writes go on by themselves after this. */
const PAUSE_MS = 2000;
/** A takeover that begins later than this after the pause is not begun. */
const TAKEOVER_WITHIN_MS = 500;
/** How long writes are held at most while it is not known who is primary. */
const KNOWN_WITHIN_MS = 10_000;

export const openToAct = ({ endpoint, connectToAct }: TakeoverInput, address: string): Promise<NodeConnection> =>
  connectToAct ? connectToAct(address) : connect(at(endpoint, address));

/** What speaks against a takeover; `passing`: may be over in seconds, such as a restart of a node of another shard. */
export interface Objection {
  why: string;
  passing: boolean;
}

/** The takeover skips the vote: it is allowed only where nobody could see things differently. */
export async function whyNotFast({ endpoint, from, to, nodes }: TakeoverInput): Promise<Objection | undefined> {
  const passing = (why: string): Objection => ({ why, passing: true });
  const read = await Promise.all(
    nodes.map((address) =>
      readAccount(at(endpoint, address)).catch((error: unknown) =>
        error instanceof Error ? error.message : String(error),
      ),
    ),
  );
  const unreadable = read.find((it) => typeof it === 'string');
  if (unreadable !== undefined) return passing(`not every node can be read: ${unreadable}`);
  const accounts = read.filter((it) => typeof it !== 'string');
  const [old, next] = [from, to].map((address) => accounts.find((it) => it.node.address === address)?.node);
  if (!old || !next) return { why: `${from} and ${to} are not both among the nodes`, passing: false };
  for (const { node, peers } of accounts) {
    const doubtful = peers.find((peer) => peer.health !== 'ok');
    if (doubtful) return passing(`${node.address} sees ${doubtful.address} as ${doubtful.health}`);
  }
  if (next.replication?.link !== 'up') return passing(`${to} has lost its replication link`);
  const failingOver = accounts.find((it) => it.failoverUnderWay)?.node.address;
  const verdict = mayTakeOver({
    primary: old,
    primaries: observePrimaries(accounts),
    ...(failingOver === undefined ? {} : { failoverUnderWay: failingOver }),
  });
  return verdict.state === 'pass' ? undefined : { why: verdict.reason, passing: verdict.state === 'wait' };
}

export interface Takeover {
  /** Since when (Unix ms) and how long (ms) writes were held. */
  at: number;
  ms: number;
  /**
   * Every renewal of the pause was answered before the last one could have run out. Where not (this process stood still, or
   * the node did), the old primary may have accepted writes that the successor never saw: `mustContinue` tells.
   */
  held: boolean;
}

/**
 * Pauses writes at the old primary, waits for equal offsets, takes over without a vote, and lets writes go on only when
 * the old primary calls itself a replica (it answers them with MOVED then), or when the successor certainly is one still.
 *
 * @returns the takeover; or why it was not begun
 * @throws RolloutError HandoverFailed when the old primary serves on; RolesUnsettled when it is not known who does; Lost
 */
export async function takeOver(
  input: TakeoverInput,
  successor: NodeConnection,
): Promise<Takeover | { refused: string }> {
  const { from, to } = input;
  await using primary = await openToAct(input, from);
  const at = Date.now();
  const start = performance.now();
  const age = (): number => performance.now() - start;
  const pause = ['CLIENT', 'PAUSE', PAUSE_MS, 'WRITE'] as const;
  // Writes are held from here on: no round trip is made that another could carry.
  const [paused, replication] = await primary.pipeline([pause, ['INFO', 'replication']]);
  if (paused instanceof Error) throw paused;
  let unpauseAtEnd = true;
  try {
    if (replication instanceof Error) throw replication;
    const offset = Number(parseInfo(String(replication))['master_repl_offset']);
    const reached = await poll(
      async () => Number(parseInfo(String(await successor.call('INFO', 'replication')))['slave_repl_offset']),
      (it) => it >= offset,
      { everyMs: 1, withinMs: TAKEOVER_WITHIN_MS / 2 },
    );
    if (!(reached >= offset)) return { refused: `${to} was ${offset - reached} bytes behind with writes paused` };
    if (age() > TAKEOVER_WITHIN_MS) return { refused: `the pause was ${Math.round(age())} ms old before the takeover` };

    unpauseAtEnd = false;
    const { outcome, held } = await whileRenewed(
      start,
      () => primary.call(...pause),
      () => turn(primary, successor),
    );
    if (outcome.roles === 'unknown')
      throw new RolloutError(
        'RolesUnsettled',
        `${to} was told to take over (${outcome.answer}), and after ${KNOWN_WITHIN_MS / 1000} s ${from} does not call itself a replica; writes were held there until now, and go on within ${PAUSE_MS / 1000} s: where both call themselves primary, what ${from} accepts then is lost when it steps down`,
      );
    if (outcome.roles === 'kept') {
      unpauseAtEnd = true;
      if (outcome.answer !== 'OK') return { refused: `${to} refused CLUSTER FAILOVER TAKEOVER (${outcome.answer})` };
      throw new RolloutError(
        'HandoverFailed',
        `${to} accepted CLUSTER FAILOVER TAKEOVER and is still a replica; ${await whetherItServes(input.endpoint, from)}`,
      );
    }
    const ms = age();
    const [told] = await Promise.all([successor.call('INFO'), unpause(primary)]);
    const info = parseInfo(String(told));
    // The first byte that the successor did not take from its old primary: nothing may lie between.
    if (!(Number(info['second_repl_offset']) >= offset + 1))
      throw new RolloutError(
        'Lost',
        `${to} (${releaseFromInfo(info)}) took over at ${info['second_repl_offset'] ?? '?'}, before offset ${offset} of ${from}`,
      );
    return { at, ms, held };
  } finally {
    if (unpauseAtEnd) await unpause(primary);
  }
}

interface Turn {
  /** `turned`: the old primary is a replica. `kept`: the successor certainly is one still. */
  roles: 'turned' | 'kept' | 'unknown';
  /** What the takeover command was answered. */
  answer: string;
}

async function turn(primary: NodeConnection, successor: NodeConnection): Promise<Turn> {
  const deadline = performance.now() + KNOWN_WITHIN_MS;
  let answer: unknown = 'no answer';
  void successor.call('CLUSTER', 'FAILOVER', 'TAKEOVER').then(
    () => (answer = 'OK'),
    (error: unknown) => (answer = error),
  );
  const told = (): string => (answer instanceof Error ? answer.message : String(answer));
  for (;;) {
    const [old, next] = await Promise.all(
      [primary, successor].map((node) =>
        Promise.race([roleOf(node).catch(() => undefined), sleep(PAUSE_MS / 2, undefined, { ref: false })]),
      ),
    );
    if (old === 'replica') return { roles: 'turned', answer: told() };
    // Certain, answered or not: over one connection the servers answer in order, so the takeover was run before this.
    if (next === 'replica') return { roles: 'kept', answer: told() };
    if (performance.now() >= deadline) return { roles: 'unknown', answer: told() };
    await sleep(1);
  }
}

/**
 * A node that hangs may get a renewal late, but then before anything that its clients sent after it.
 *
 * @param since when the first pause was sent
 * @returns `held`: no pause can have run out before the next one was there, nor the last one before `act` ended. Each
 *   begins at the server after it was sent here, and before it is answered.
 */
async function whileRenewed<T>(
  since: number,
  pause: () => Promise<unknown>,
  act: () => Promise<T>,
): Promise<{ outcome: T; held: boolean }> {
  let surelyUntil = since + PAUSE_MS;
  let held = true;
  const see = (): void => {
    held &&= performance.now() < surelyUntil;
  };
  const renewing = setInterval(() => {
    const sent = performance.now();
    pause().then(
      () => {
        see();
        surelyUntil = sent + PAUSE_MS;
      },
      () => {
        // The next one, or the deadline.
      },
    );
  }, PAUSE_MS / 4);
  try {
    const outcome = await act();
    see();
    return { outcome, held };
  } finally {
    clearInterval(renewing);
  }
}

/**
 * Did the old primary accept nothing that its successor never saw? Where it could follow on by partial resync, its own
 * stream ended no later than the successor's: it keeps its stream's id as `master_replid2` then, which a full resync
 * clears (replication.c: slaveTryPartialResynchronization, clearReplicationId2).
 *
 * @throws RolloutError Lost; RolesUnsettled where it does not follow within 10 s
 */
export async function mustContinue({ endpoint, from, to }: TakeoverInput): Promise<void> {
  await using old = await connect(at(endpoint, from));
  const copies = (info: Record<string, string>): boolean => info['master_sync_in_progress'] === '1';
  const follows = (info: Record<string, string>): boolean => info['master_link_status'] === 'up' || copies(info);
  const info = await poll(() => readInfo(old, 'replication'), follows, { everyMs: 50, withinMs: KNOWN_WITHIN_MS });
  if (!follows(info))
    throw new RolloutError(
      'RolesUnsettled',
      `${to} took over from ${from}, which does not follow it after ${KNOWN_WITHIN_MS / 1000} s: whether ${from} accepted writes that ${to} never saw is not known`,
    );
  await using next = await connect(at(endpoint, to));
  const { master_replid2: stream } = await readInfo(next, 'replication');
  if (copies(info) || info['master_replid2'] !== stream)
    throw new RolloutError(
      'Lost',
      `${from} could not go on from where ${to} took over, and copies it anew: writes may not have been held at ${from} until then, and what it accepted last is gone (or the replication backlog of ${to} was too small for it)`,
    );
}

async function unpause(primary: NodeConnection): Promise<void> {
  await primary.call('CLIENT', 'UNPAUSE').catch(() => {
    // It ends by itself after PAUSE_MS.
  });
}
