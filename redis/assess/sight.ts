import type { Unseen } from '../../model/assessment/unseen.js';
import type { NodeConnection } from '../connection.js';

/** A server's refusal to show something: a right that is missing, or a command that it doesn't have, or not under this name. */
const REFUSED = /^(NOPERM|ERR unknown (sub)?command|ERR Unknown subcommand|ERR syntax error|READONLY)|not allowed/i;

/** One node, and what it did not show. */
export class Sight {
  readonly unseen: Unseen[] = [];

  constructor(readonly connection: NodeConnection) {}

  /**
   * Asks, and takes note of a refusal.
   *
   * @param left what is not looked at where it is refused
   * @returns undefined where it is refused
   * @throws whatever else goes wrong
   */
  async ask<T>(
    what: string,
    left: string,
    question: (connection: NodeConnection) => Promise<T>,
  ): Promise<T | undefined> {
    try {
      return await question(this.connection);
    } catch (error) {
      if (!(error instanceof Error) || !REFUSED.test(error.message)) throw error;
      this.blind(what, error.message, left);
      return undefined;
    }
  }

  blind(what: string, why: string, left: string): void {
    this.unseen.push({ what, nodes: [this.connection.address], why: plain(why), left });
  }
}

/**
 * Looks at a node, and adds what it did not show.
 *
 * @param connect whose connection is closed afterwards
 */
export async function seeing<T>(
  { connect, unseen }: { connect: (address: string) => Promise<NodeConnection>; unseen: Unseen[] },
  address: string,
  look: (sight: Sight) => Promise<T>,
): Promise<T> {
  await using connection = await connect(address);
  const sight = new Sight(connection);
  const found = await look(sight);
  unseen.push(...sight.unseen);
  return found;
}

/** The server repeats arguments in its refusal, which differ from one node to the next. */
const plain = (why: string): string =>
  /^NOPERM/.test(why) ? 'the user may not (NOPERM)' : /unknown/i.test(why) ? 'the server has no such command' : why;
