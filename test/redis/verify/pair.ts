import { Sandbox, until } from '../../../scripts/sandbox/cluster.js';
import type { VerifyResult } from '../../../model/evidence.js';
import type { Endpoint, NodeConnection } from '../../../redis/connection.js';
import { Pipe } from '../../../redis/verify/pipe.js';
import { verifyReplica, type VerifyInput } from '../../../redis/verify/verify-replica.js';
import type { Command } from '../../../redis/resp.js';

/** A primary with one linked replica, each of a release of its own. */
export class Pair implements AsyncDisposable {
  private constructor(
    readonly sandboxes: [Sandbox, Sandbox],
    readonly primary: NodeConnection,
    readonly replica: NodeConnection,
    readonly endpoints: { primary: Endpoint; replica: Endpoint },
  ) {}

  static async start(from: string, to: string, configuration: readonly string[] = []): Promise<Pair> {
    const a = await Sandbox.servers(1, { release: from, configuration });
    const b = await Sandbox.servers(1, { release: to, configuration });
    // What seconds of loading take on a crowded machine isn't what these tests are about.
    const [primary, replica] = [
      await a.connect(undefined, { timeoutMs: 30_000 }),
      await b.connect(undefined, { timeoutMs: 30_000 }),
    ];
    const endpoints = { primary: a.endpoint(), replica: b.endpoint() };
    await replica.call('REPLICAOF', '127.0.0.1', endpoints.primary.port);
    const pair = new Pair([a, b], primary, replica, endpoints);
    await pair.linked();
    return pair;
  }

  linked(): Promise<void> {
    return until('the replica is linked', async () =>
      String(await this.replica.call('INFO', 'replication')).includes('master_link_status:up'),
    );
  }

  /** Everything written so far is on the replica. */
  async synced(): Promise<void> {
    const offset = (text: unknown): number =>
      Number(/(?:slave_repl_offset|master_repl_offset):(\d+)/.exec(String(text))?.[1]);
    const goal = offset(await this.primary.call('INFO', 'replication'));
    await until(
      `the replica passes ${goal}`,
      async () => offset(await this.replica.call('INFO', 'replication')) >= goal,
    );
  }

  async write(commands: readonly Command[]): Promise<void> {
    await send(this.endpoints.primary, commands);
  }

  /** Makes the replica writable and writes there: what a lost or garbled command would have left behind. */
  async tamper(commands: readonly Command[]): Promise<void> {
    await this.synced();
    await this.replica.call('CONFIG', 'SET', 'slave-read-only', 'no');
    await send(this.endpoints.replica, commands);
    await this.replica.call('CONFIG', 'SET', 'slave-read-only', 'yes');
  }

  verify(input: Partial<VerifyInput> = {}): Promise<VerifyResult> {
    return verifyReplica({ shard: 'shard-1', ...this.endpoints, mode: 'all', ttlToleranceMs: 1000, ...input });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.primary.close();
    this.replica.close();
    await Promise.all(this.sandboxes.map((sandbox) => sandbox.stop()));
  }
}

/** Sends all and fails on the first error reply: a fixture that wasn't written tests nothing. */
export async function send(endpoint: Endpoint, commands: readonly Command[]): Promise<void> {
  using pipe = await Pipe.open(endpoint, { readonly: false, noTouch: false, timeoutMs: 30_000 });
  for (let at = 0; at < commands.length; at += 5000) {
    const some = commands.slice(at, at + 5000);
    for (const [i, reply] of (await pipe.send(some)).entries())
      if (typeof reply === 'object' && reply !== null && 'message' in reply)
        throw new Error(`${some[i]?.[0]} ${String(some[i]?.[1])}: ${reply.message}`);
  }
}
