import type { NodeConnection } from '../../../redis/connection.js';
import type { CompareOptions } from '../../../redis/follow/comparing.js';
import { Sandbox } from '../../../scripts/sandbox/cluster.js';
import { Follower, freezeEmpty } from './followed.js';

/** A primary and an older server that is its standby, outside of any cluster, and a follower that is to be started. */
export class TwoServers implements AsyncDisposable {
  private constructor(
    readonly a: Sandbox,
    readonly b: Sandbox,
    readonly primary: NodeConnection,
    readonly standby: NodeConnection,
    readonly follower: Follower,
  ) {}

  static async start(
    source: string,
    target: string,
    configuration: readonly string[] = [],
    compare?: CompareOptions,
  ): Promise<TwoServers> {
    const a = await Sandbox.servers(1, {
      release: source,
      configuration: ['repl-backlog-size 256mb', ...configuration],
    });
    const b = await Sandbox.servers(1, { release: target });
    const primary = await a.connect(undefined, { timeoutMs: 60_000 });
    const standby = await b.connect(undefined, { timeoutMs: 60_000 });
    await freezeEmpty(a.endpoint(), standby);
    const follower = new Follower({
      primary: () => Promise.resolve(a.endpoint()),
      standby: b.endpoint(),
      source,
      target,
      ...(compare ? { compare } : {}),
    });
    return new TwoServers(a, b, primary, standby, follower);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.follower.end();
    this.primary.close();
    this.standby.close();
    await Promise.all([this.a.stop(), this.b.stop()]);
  }
}
