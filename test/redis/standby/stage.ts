import { setTimeout as sleep } from 'node:timers/promises';
import { formatSlots, type SlotRange } from '../../../model/topology.js';
import { readAccount } from '../../../redis/account.js';
import { at, connect, type Endpoint } from '../../../redis/connection.js';
import { parseInfo } from '../../../redis/info.js';
import { attach } from '../../../redis/replication/client.js';
import { readPair, slotsSeenAt } from '../../../redis/standby/may-cut-over.js';
import { Sandbox, until, type SandboxNode } from '../../../scripts/sandbox/cluster.js';

/** The first of three shards: its slots, and a hash tag in them. */
export const RANGES: SlotRange[] = [[0, 5460]];
export const RECORD = 'redis-rollout:{06S}:follow';
const EXACT = ['exact', '0-5460', 'exactMs', 500] as const;

export interface StandbyStage extends AsyncDisposable {
  cluster: Sandbox;
  endpoint: Endpoint;
  primary: SandboxNode;
  replica: SandboxNode;
  standby: SandboxNode;
  /** Addresses of all, the standby's included. */
  nodes: string[];
  input: {
    endpoint: Endpoint;
    primary: string;
    standby: string;
    ranges: SlotRange[];
    nodes: string[];
    record: string;
    marginMs: number;
    confirmWithinMs: number;
  };
  /** Follows until the stage ends, as the product's follower does: each batch with the record, in one script. */
  follow(): Promise<void>;
  /** Waits until the standby has what the primary's stream has now: one that hung is behind, and for its cluster down. */
  caughtUp(): Promise<void>;
  /** Kills or hangs the standby, as it does a cluster's node. */
  extra: Sandbox;
}

/** A cluster of `release`, and an older member without slots whose slots are importing from the first shard's primary. */
export async function standbyStage(
  release: string,
  older: string,
  configuration: readonly string[] = [],
): Promise<StandbyStage> {
  const cluster = await Sandbox.cluster({ release, configuration });
  const extra = await Sandbox.servers(1, {
    release: older,
    configuration: [
      'cluster-enabled yes',
      'cluster-node-timeout 5000',
      'cluster-replica-no-failover yes',
      'appendonly yes',
      // What it has is written when it is killed: with everysec that waits for a disk that is busy, up to two seconds.
      'appendfsync no',
    ],
  });
  const followers: AsyncDisposable[] = [];
  const dispose = async (): Promise<void> => {
    for (const follower of followers) await follower[Symbol.asyncDispose]();
    await Promise.all([cluster.stop(), extra.stop()]);
  };
  try {
    const [primary, , , replica] = cluster.nodes;
    const [standby] = extra.nodes;
    if (!primary || !replica || !standby) throw new Error('the sandboxes have seven nodes');
    const endpoint = cluster.endpoint();
    const nodes = [...cluster.nodes.map(({ address }) => address), standby.address];
    const input = {
      ...{ endpoint, primary: primary.address, standby: standby.address, ranges: RANGES, nodes },
      ...{ record: RECORD, marginMs: 500, confirmWithinMs: 20_000 },
    };
    // Each by itself: until gossip has told all of them takes seconds.
    for (const { port } of cluster.nodes) await extra.ask(standby.address, 'CLUSTER', 'MEET', '127.0.0.1', port);
    await until('all know each other', async () => {
      const { accounts, unread, primary: owner } = await readPair(input);
      return (
        unread.length === 0 &&
        accounts.every(
          (it) =>
            it.peers.length === nodes.length &&
            it.clusterState === 'ok' &&
            it.currentEpoch === owner?.currentEpoch &&
            it.peers.every((peer) => peer.health === 'ok' && (peer.linkUp || peer.myself)) &&
            slotsSeenAt(owner.node.id, it) === formatSlots(RANGES),
        )
      );
    });
    const owner = await readAccount(at(endpoint, primary.address));
    await using marking = await extra.connect(standby);
    await marking.pipeline(
      Array.from({ length: 5461 }, (_, slot) => ['CLUSTER', 'SETSLOT', slot, 'IMPORTING', owner.node.id]),
    );
    // Both are empty, so their content is equal: following begins where the primary's stream is now.
    const stream = async (): Promise<{ replid: string; offset: number }> => {
      const info = parseInfo(String(await cluster.ask(primary.address, 'INFO', 'replication')));
      return { replid: info['master_replid'] ?? '', offset: Number(info['master_repl_offset']) };
    };
    await until('the primary has a stream', async () => (await stream()).offset > 0);
    const { replid, offset } = await stream();
    await marking.pipeline([['ASKING'], ['HSET', RECORD, 'replid', replid, 'offset', offset, 'dirty', 0, ...EXACT]]);
    return {
      ...{ cluster, extra, endpoint, primary, replica, standby, nodes, input },
      follow: async () => {
        followers.push(await follow({ endpoint, primary: primary.address, standby: standby.address, record: RECORD }));
      },
      caughtUp: async () => {
        const { offset: wanted } = await stream();
        await using asking = await extra.connect(standby);
        await until('the standby has caught up', async () => {
          const [, applied] = await asking.pipeline([['ASKING'], ['HGET', RECORD, 'offset']]);
          return Number(applied) >= wanted;
        });
      },
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

const batch = `
if redis.replicate_commands then redis.replicate_commands() end
if redis.call('HGET', KEYS[1], 'offset') ~= ARGV[1] then return 'not here' end
local i = 3
while i <= #ARGV do
  local n = tonumber(ARGV[i])
  redis.call(unpack(ARGV, i + 1, i + n))
  i = i + n + 1
end
redis.call('HSET', KEYS[1], 'offset', ARGV[2])
return 'applied'
`;

const notData = ['ping', 'select', 'replconf', 'multi', 'exec', 'publish'];

/** What both releases know alike, and `SET … PXAT`, which is how a newer one says `EX`. */
function asOlder(args: Buffer[]): (Buffer | string)[][] {
  const [name, key, value, option, time] = args;
  if (notData.includes(String(name).toLowerCase())) return [];
  if (key && value && time && /^set$/i.test(String(name)) && /^pxat$/i.test(String(option)))
    return [
      ['SET', key, value],
      ['PEXPIREAT', key, time],
    ];
  return [args];
}

async function follow(input: {
  endpoint: Endpoint;
  primary: string;
  standby: string;
  record: string;
}): Promise<AsyncDisposable> {
  const { endpoint, primary, standby, record } = input;
  const target = await connect(at(endpoint, standby), { timeoutMs: 60_000 });
  await target.call('ASKING');
  const [replid, offset] = (await target.call('HMGET', record, 'replid', 'offset')) as [string, string];
  let applied = Number(offset);
  const attached = await attach({
    from: at(endpoint, primary),
    resume: { replid, offset: applied },
    acknowledge: 'none',
  });
  if (attached.answer.kind !== 'partial') throw new Error('the test follower can only go on');
  const waiting: { args: Buffer[]; offset: number }[] = [];
  let flushing: Promise<void> | undefined;
  const flush = async (): Promise<void> => {
    while (waiting.length > 0) {
      // After a hang there are tens of thousands, more than are taken as the arguments of one call.
      const now = waiting.splice(0, 1000);
      const to = now.at(-1)?.offset ?? applied;
      const data = now.flatMap(({ args }) => asOlder(args).flatMap((command) => [String(command.length), ...command]));
      let answer: unknown;
      do {
        [, answer] = await target.pipeline([['ASKING'], ['EVAL', batch, 1, record, applied, to, ...data]]);
        // A standby that was away for a while takes its cluster for down at first.
        if (answer instanceof Error) await sleep(50);
      } while (answer instanceof Error && answer.message.startsWith('CLUSTERDOWN'));
      if (answer !== 'applied') throw new Error(`somebody else has been here: ${String(answer)}`);
      applied = to;
    }
    flushing = undefined;
  };
  const done = (async () => {
    for await (const arrived of attached.batches()) {
      waiting.push(...arrived);
      flushing ??= Promise.resolve()
        .then(flush)
        .catch(() => {
          attached.close();
        });
    }
  })().catch(() => {
    // Its primary or its standby is gone: what is there then is what the test is about.
  });
  return {
    async [Symbol.asyncDispose]() {
      attached.close();
      target.close();
      await done;
    },
  };
}
