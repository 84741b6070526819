import { setTimeout as sleep } from 'node:timers/promises';
import { ReplyError } from 'ioredis';
import { RolloutError } from '../model/failures.js';
import { readAccount } from './account.js';
import { at, connect, type Endpoint, type NodeConnection } from './connection.js';
import { parseInfo } from './info.js';
import { poll, roleOf, whetherItServes } from './roles.js';

export interface VoteTurn {
  /** The epoch that the election before came to: who does not know it yet asks for votes that are given already. */
  afterEpoch: number;
  /** @param epoch that was won */
  end: (epoch?: number) => Promise<void>;
}

/** How an election is held. */
export interface Voting {
  /** Keeps this election and those of other shards apart; for a while, not for ever. */
  takeVoteTurn?: () => Promise<VoteTurn>;
  signal?: AbortSignal;
}

interface Shard extends Voting {
  endpoint: Endpoint;
  from: string;
  to: string;
}

/** When the command was sent, Unix ms, and how long until the successor called itself primary, ms. */
interface Moved {
  ms: number;
  at: number;
}

/** Redis gives a manual failover up by itself after 5 s (CLUSTER_MF_TIMEOUT in cluster.h). */
const FAILOVER_GIVES_UP_MS = 5500;

/**
 * CLUSTER FAILOVER, tried twice: its OK only means accepted (redis#11750). Writes are held while it is tried, so it is not
 * asked for again before a replica whose election was lost would begin another.
 */
export async function failOver(
  input: Shard,
  successor: NodeConnection,
  isDone: () => Promise<boolean>,
): Promise<Moved> {
  const { endpoint, from, to, signal } = input;
  const { nodeTimeoutMs } = await readAccount(at(endpoint, to));
  await somethingReplicated(input);
  for (let attempt = 1; ; attempt++) {
    const { elected, result, epochs } = await electOnce(input, successor, isDone);
    if (elected) return result;
    if (attempt === 2)
      throw new RolloutError(
        'HandoverFailed',
        `${to} accepted CLUSTER FAILOVER twice and is still a replica; ${await whetherItServes(endpoint, from)}. The nodes' logs say why (look for 'Failover auth denied' and 'Manual failover')`,
      );
    const lost = epochs.after > epochs.before;
    const again = result.at + (lost ? electsAgainAfterMs(nodeTimeoutMs) : 2 * nodeTimeoutMs);
    await sleep(Math.max(0, again - Date.now()), undefined, signal ? { signal } : {});
  }
}

/** `auth_retry_time` in cluster.c, the same from 5.0 to 8.x and in Valkey; a moment more for what began a moment later. */
const electsAgainAfterMs = (nodeTimeoutMs: number): number => 2 * Math.max(2 * nodeTimeoutMs, 2000) + 300;

interface Election {
  elected: boolean;
  result: Moved;
  /** The successor's, before the command and at the end: one that asked for votes has raised its own. */
  epochs: { before: number; after: number };
}

async function electOnce(input: Shard, successor: NodeConnection, isDone: () => Promise<boolean>): Promise<Election> {
  const { endpoint, from, to, signal } = input;
  // What may take its time comes before the turn, and is looked at again within it: nobody else waits for it.
  let done = await isDone();
  const turn = done ? undefined : await input.takeVoteTurn?.();
  let won: number | undefined;
  try {
    if (turn) {
      await hearOfEpoch(successor, turn.afterEpoch);
      done = await isDone();
    }
    const at = Date.now();
    const start = performance.now();
    const before = await epochOf(successor);
    const result = (): Moved => ({ ms: performance.now() - start, at });
    if (done) return { elected: true, result: result(), epochs: { before, after: before } };
    await successor.call('CLUSTER', 'FAILOVER').catch(async (error: unknown) => {
      if (!(error instanceof ReplyError)) throw error;
      const left = await whetherItServes(endpoint, from);
      throw new RolloutError('HandoverFailed', `${to} refused CLUSTER FAILOVER (${(error as Error).message}); ${left}`);
    });
    const role = await poll(
      () => roleOf(successor),
      (it) => it === 'primary',
      { everyMs: 2, withinMs: FAILOVER_GIVES_UP_MS, ...(signal ? { signal } : {}) },
    );
    const found = result();
    const after = await epochOf(successor);
    if (role === 'primary') won = after;
    return { elected: role === 'primary', result: found, epochs: { before, after } };
  } finally {
    await turn?.end(won);
  }
}

/** Who won tells everybody at once; a node that does not hear of it in this time is not waited for, ms. */
const HEARD_WITHIN_MS = 500;

async function hearOfEpoch(node: NodeConnection, epoch: number): Promise<void> {
  await poll(
    () => epochOf(node),
    (it) => it >= epoch,
    { everyMs: 5, withinMs: HEARD_WITHIN_MS },
  );
}

const epochOf = async (node: NodeConnection): Promise<number> =>
  Number(parseInfo(String(await node.call('CLUSTER', 'INFO')))['cluster_current_epoch']);

/** repl-ping-replica-period is 10 s by default: the first ping moves the offset of a primary that nobody wrote to. */
const FIRST_PING_MS = 15_000;

/**
 * Redis 5.0 takes a paused primary's offset of 0 for one that it hasn't heard yet, and lets the failover of a shard that
 * was never written to time out (`mf_master_offset` in cluster.c; measured on 5.0.6).
 */
async function somethingReplicated({ endpoint, from, signal }: Shard): Promise<void> {
  await using primary = await connect(at(endpoint, from));
  await poll(
    async () => Number(parseInfo(String(await primary.call('INFO', 'replication')))['master_repl_offset']),
    (offset) => offset > 0,
    { everyMs: 100, withinMs: FIRST_PING_MS, ...(signal ? { signal } : {}) },
  );
}
