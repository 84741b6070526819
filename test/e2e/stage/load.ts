import { setTimeout as sleep } from 'node:timers/promises';
import { keySlot } from '../../../redis/probe/slot.js';
import { readTopology } from '../../../redis/topology.js';
import { at, connect } from '../../../redis/connection.js';
import type { Sandbox } from '../../../scripts/sandbox/cluster.js';

/** Writes new keys to every shard, without end, until it is stopped. */
export class Load implements AsyncDisposable {
  /** Keys that were acknowledged so far, by shard. */
  readonly written: Record<string, number> = {};
  #stopped = false;
  #ended: Promise<unknown> = Promise.resolve();

  static async begin(cluster: Sandbox, value: string): Promise<Load> {
    const load = new Load();
    const seeds = cluster.nodes.map((node) => node.address);
    const { shards } = await readTopology(cluster.endpoint(), seeds);
    load.#ended = Promise.all(
      shards.map(async ({ name, slots, primary }) => {
        const tag = Array.from({ length: 50_000 }, (_, i) => String(i)).find((it) =>
          slots.some(([from, to]) => from <= keySlot(it) && keySlot(it) <= to),
        );
        await using node = await connect(at(cluster.endpoint(), primary.address));
        load.written[name] = 0;
        for (let n = 0; !load.#stopped; n += 20) {
          const keys = Array.from({ length: 20 }, (_, i) => `load:{${tag ?? ''}}:${n + i}`);
          const replies = await node.pipeline(keys.map((key) => ['SET', key, value]));
          for (const reply of replies) if (reply instanceof Error) throw reply;
          load.written[name] = n + 20;
          await sleep(5);
        }
      }),
    );
    return load;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    await this.#ended;
  }
}
