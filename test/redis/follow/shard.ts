import { formatSlots, type SlotRange } from '../../../model/topology.js';
import type { Endpoint, NodeConnection } from '../../../redis/connection.js';
import type { CompareOptions } from '../../../redis/follow/comparing.js';
import type { FollowTools } from '../../../redis/follow/tools.js';
import { markImporting } from '../../../redis/standby/importing.js';
import { Sandbox, until, type SandboxNode } from '../../../scripts/sandbox/cluster.js';
import { Follower, freezeEmpty } from './followed.js';

export const slots: SlotRange[] = [[0, 16383]];

/** A cluster of one shard, of a primary and its replica, with an empty member of an older release that imports all its slots. */
export class Shard implements AsyncDisposable {
  /** Whom the follower is told to be primary. */
  primary: SandboxNode;

  private constructor(
    readonly cluster: Sandbox,
    readonly old: Sandbox,
    readonly follower: Follower,
    private readonly who: { primary: SandboxNode },
  ) {
    this.primary = who.primary;
  }

  static async start(
    source: string,
    target: string,
    {
      servers,
      compare,
      tools,
    }: { servers?: Readonly<Record<string, string>>; compare?: CompareOptions; tools?: FollowTools } = {},
  ): Promise<Shard> {
    const cluster = await Sandbox.cluster({
      release: source,
      primaries: 1,
      replicasEach: 1,
      configuration: ['cluster-node-timeout 2000', 'repl-backlog-size 256mb'],
      ...(servers ? { servers } : {}),
    });
    const old = await Sandbox.servers(1, {
      release: target,
      configuration: ['cluster-enabled yes', 'cluster-node-timeout 2000'],
      ...(servers ? { servers } : {}),
    });
    const [primary] = cluster.nodes;
    const [standby] = old.nodes;
    if (!primary || !standby) throw new Error('nodes expected');
    await using connection = await old.connect();
    await joinToImport({ cluster, primary, standby: connection, slots });
    const who = { primary };
    const follower = new Follower({
      primary: () => Promise.resolve(cluster.endpoint(who.primary)),
      standby: old.endpoint(),
      source,
      target,
      slots,
      ...(compare ? { compare } : {}),
      ...(tools ? { tools } : {}),
    });
    return new Shard(cluster, old, follower, who);
  }

  get standby(): Endpoint {
    return this.old.endpoint();
  }

  nowPrimary(node: SandboxNode): void {
    this.who.primary = node;
    this.primary = node;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.follower.end();
    await Promise.all([this.cluster.stop(), this.old.stop()]);
  }
}

/** An empty server becomes a member that imports these slots from their primary, which is empty, too. */
export async function joinToImport({
  cluster,
  primary,
  standby,
  slots: ranges,
}: {
  cluster: Sandbox;
  primary: SandboxNode;
  standby: NodeConnection;
  slots: SlotRange[];
}): Promise<void> {
  for (const node of cluster.nodes) await standby.call('CLUSTER', 'MEET', '127.0.0.1', node.port);
  const owner = String(await cluster.ask(primary.address, 'CLUSTER', 'MYID'));
  await until('the standby sees the cluster, and whose the slots are', async () => {
    const [nodes, info] = [await standby.call('CLUSTER', 'NODES'), await standby.call('CLUSTER', 'INFO')];
    const line = String(nodes)
      .split('\n')
      .find((it) => it.startsWith(`${owner} `));
    return line?.trim().endsWith(` ${formatSlots(ranges)}`) === true && String(info).includes('cluster_state:ok');
  });
  await markImporting({ standby, ranges, owner });
  await freezeEmpty(cluster.endpoint(primary), standby, ranges);
}
