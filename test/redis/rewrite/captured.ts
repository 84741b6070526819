import type { Endpoint, NodeConnection } from '../../../redis/connection.js';
import { parseInfo } from '../../../redis/info.js';
import { checkRdb } from '../../../redis/rdb/check.js';
import { attach, type Attachment } from '../../../redis/replication/client.js';
import type { ReplicatedCommand } from '../../../redis/replication/command-parser.js';
import { until } from '../../../scripts/sandbox/cluster.js';

/** A primary's replication stream, read piece by piece. */
export class Captured implements AsyncDisposable {
  #marks = 0;
  readonly #batches;
  /** Read, and not yet taken. */
  #rest: ReplicatedCommand[] = [];

  private constructor(
    readonly node: NodeConnection,
    readonly attachment: Attachment,
  ) {
    this.#batches = attachment.batches();
  }

  static async open(node: NodeConnection, from: Endpoint): Promise<Captured> {
    const attachment = await attach({ from });
    await checkRdb(attachment.snapshot?.chunks ?? []);
    const captured = new Captured(node, attachment);
    await captured.take();
    // Until then a FLUSHALL, which ends the snapshot's process, would end this link as well.
    await until('our replica is online', async () => {
      const info = parseInfo(String(await node.call('INFO', 'replication')));
      return info['slave0']?.includes('state=online') ?? false;
    });
    return captured;
  }

  /** Everything propagated up to now, without what only keeps the link alive; `SELECT`s included. */
  async take(): Promise<Buffer[][]> {
    return (await this.takeWhole()).map(({ args }) => args);
  }

  /** The same, with each command's offset. */
  async takeWhole(): Promise<ReplicatedCommand[]> {
    const mark = `the mark ${++this.#marks}`;
    await this.node.call('PUBLISH', 'marks', mark);
    const seen: ReplicatedCommand[] = [];
    for (;;) {
      const command = this.#rest.shift();
      if (command === undefined) {
        const { value, done } = await this.#batches.next();
        if (done) throw new Error('the stream ended');
        this.#rest = [...value];
        continue;
      }
      const text = command.args.map((it) => it.toString('latin1')).join(' ');
      if (text === `PUBLISH marks ${mark}`) return seen;
      if (!/^(ping|replconf) ?/i.test(text)) seen.push(command);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.attachment[Symbol.asyncDispose]();
  }
}
