import type { SlotRange } from '../../../model/topology.js';
import { connect, type Endpoint, type NodeConnection } from '../../../redis/connection.js';
import { follow } from '../../../redis/follow/follow.js';
import { readReached, writeRecord } from '../../../redis/follow/record.js';
import type { FollowState } from '../../../redis/follow/state.js';
import type { FollowTools } from '../../../redis/follow/tools.js';
import { readInfo } from '../../../redis/node.js';
import { checkRdb } from '../../../redis/rdb/check.js';
import { attach } from '../../../redis/replication/client.js';
import { EXPIRY_MARGIN_MS, followKey } from '../../../redis/standby/point.js';
import { compareBatch, findExtra } from '../../../redis/verify/batch.js';
import { scanKeys } from '../../../redis/verify/keys.js';
import { Pipe } from '../../../redis/verify/pipe.js';
import type { Side, Sides } from '../../../redis/verify/side.js';
import { until } from '../../../scripts/sandbox/cluster.js';

/** One follower, which can be ended at any moment and started again. */
export class Follower {
  state: FollowState | undefined;
  failure: unknown;
  #controller: AbortController | undefined;
  #done: Promise<void> = Promise.resolve();

  constructor(
    readonly options: {
      primary: () => Promise<Endpoint>;
      standby: Endpoint;
      source: string;
      target: string;
      slots?: readonly SlotRange[];
      tools?: FollowTools;
      compare?: NonNullable<Parameters<typeof follow>[0]['compare']>;
    },
  ) {}

  get record(): string {
    return followKey(this.options.slots ?? []);
  }
  get cluster(): boolean {
    return (this.options.slots ?? []).length > 0;
  }

  start(): this {
    const controller = new AbortController();
    this.#controller = controller;
    this.#done = follow({
      slots: [],
      ...this.options,
      signal: controller.signal,
      onProgress: (state) => (this.state = state),
    }).catch((error: unknown) => {
      if (!controller.signal.aborted) this.failure = error;
    });
    return this;
  }

  /** As a kill would: whatever is under way is left as it is. */
  async end(): Promise<void> {
    this.#controller?.abort(new Error('ended'));
    await this.#done;
  }

  /** The standby has all that the primary has written so far. */
  async drained(timeoutMs = 60_000): Promise<void> {
    await using primary = await connect(await this.options.primary(), { timeoutMs: 60_000 });
    const offset = Number((await readInfo(primary, 'replication'))['master_repl_offset']);
    try {
      await until(
        `the standby is at ${offset}`,
        async () => {
          if (this.failure) throw this.failure as Error;
          await using standby = await connect(this.options.standby);
          return await isDrained(standby, { record: this.record, cluster: this.cluster, offset });
        },
        timeoutMs,
      );
    } catch (error) {
      throw new Error(`${(error as Error).message}; ${JSON.stringify(this.state)} ${String(this.failure)}`, {
        cause: error,
      });
    }
  }
}

/** Makes the standby as empty as the primary, and notes from where to go on. */
export async function freezeEmpty(
  primary: Endpoint,
  standby: NodeConnection,
  slots: readonly SlotRange[] = [],
): Promise<void> {
  await using attachment = await attach({ from: primary });
  await checkRdb(attachment.snapshot?.chunks ?? []);
  await writeRecord(standby, { record: followKey(slots), cluster: slots.length > 0, point: attachment.answer });
}

/** Has everything up to the offset arrived, with nothing left to be copied again? */
export async function isDrained(
  standby: NodeConnection,
  { record, cluster, offset }: { record: string; cluster: boolean; offset: number },
): Promise<boolean> {
  const found = await readReached(standby, { record, cluster });
  if (!found) throw new Error(`${standby.address} has no record of its follower (${record})`);
  return found.offset >= offset && found.dirty === 0;
}

/** Keys that are not the same in both, but for the margin that the standby's expiries carry. */
export async function differences(
  primary: Endpoint,
  standby: Endpoint,
  { db = 0, marginMs = EXPIRY_MARGIN_MS, asking = false } = {},
): Promise<string[]> {
  const options = { readonly: false, noTouch: false, timeoutMs: 60_000 };
  using a = await Pipe.open(primary, options);
  using b = await Pipe.open(standby, { ...options, asking });
  if (db > 0) await Promise.all([a.ask('SELECT', db), b.ask('SELECT', db)]);
  const here: Side = { pipe: a, role: 'primary', pexpiretime: false };
  const there: Side = { pipe: b, role: 'replica', pexpiretime: false };
  const sides: Sides = { primary: here, replica: there, fieldExpiry: false };
  const found: string[] = [];
  for await (const { keys } of scanKeys(here, '0')) {
    const { candidates } = await compareBatch(sides, keys, marginMs + 1000);
    found.push(...candidates.map(String));
    const ttl = (pipe: Pipe) => pipe.send(keys.map((key) => ['PTTL', key]));
    const [ours, theirs] = await Promise.all([ttl(a), ttl(b)]);
    for (const [i, key] of keys.entries()) {
      const [p, s] = [Number(ours[i]), Number(theirs[i])];
      if (p > 0 && Math.abs(s - p - marginMs) > 1000) found.push(`${String(key)}: expires in ${p}, and in ${s}`);
    }
  }
  for await (const { keys } of scanKeys(there, '0'))
    found.push(...(await findExtra(sides, keys)).map(String).filter((it) => !it.startsWith('redis-rollout:')));
  return found;
}
