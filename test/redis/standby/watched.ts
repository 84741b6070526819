import { RolloutError } from '../../../model/failures.js';
import { at, connect, type Endpoint, type NodeConnection } from '../../../redis/connection.js';

type Command = readonly (string | number | Buffer)[];

/** `CLIENT PAUSE+ROLE`: what was sent in one write. */
const labelOf = (commands: readonly Command[]): string =>
  commands
    .map((words) => words.slice(0, ['CLIENT', 'CLUSTER', 'CONFIG'].includes(String(words[0])) ? 2 : 1).join(' '))
    .join('+');

export interface Watch {
  /** Before a write is sent; to throw is to die without having sent it. */
  before?: (label: string, command: string) => Promise<void> | void;
  /** Once it is answered; to throw is to die without having seen the answer. */
  after?: (label: string, command: string) => Promise<void> | void;
}

/** Connections over which an attempt acts, each write of it watched. Whoever dies never acts again: not even to tidy up. */
export function watched(
  endpoint: Endpoint,
  watch: Watch,
): { connectToAct: (address: string) => Promise<NodeConnection>; hasDied: () => boolean } {
  let dead = false;
  const open: NodeConnection[] = [];
  const alive = (address: string): void => {
    if (dead) throw new RolloutError('Unreachable', `the attempt that spoke to ${address} is dead`);
  };
  const die = (error: unknown): never => {
    dead = true;
    for (const connection of open) connection.close();
    throw error;
  };
  return {
    hasDied: () => dead,
    connectToAct: async (address) => {
      alive(address);
      const connection = await connect(at(endpoint, address));
      open.push(connection);
      const sending = async <T>(commands: readonly Command[], send: () => Promise<T>): Promise<T> => {
        alive(address);
        const [label, text] = [labelOf(commands), commands.map((words) => words.slice(0, 3).join(' ')).join('+')];
        try {
          await watch.before?.(label, text);
        } catch (error) {
          die(error);
        }
        const answer = await send();
        try {
          await watch.after?.(label, text);
        } catch (error) {
          die(error);
        }
        alive(address);
        return answer;
      };
      return {
        ...connection,
        call: (...command) => sending([command], () => connection.call(...command)),
        pipeline: (commands, options) => sending(commands, () => connection.pipeline(commands, options)),
      };
    },
  };
}
