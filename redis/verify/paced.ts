import { setTimeout as sleep } from 'node:timers/promises';
import type { Side } from './side.js';

type Asker = Side['pipe'];

/**
 * A pipe that gives way: after each answer it rests, so that it is asked for at most `share` of the time (0 to 1). A server
 * that has much to do answers later, and is asked less.
 */
export function paced(pipe: Asker, share: number, signal: AbortSignal): Asker {
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(ask: () => Promise<T>): Promise<T> => {
    const mine = turn.then(async () => {
      signal.throwIfAborted();
      const begun = performance.now();
      const reply = await ask();
      const took = performance.now() - begun;
      return { reply, restMs: took / share - took };
    });
    turn = mine.then(
      ({ restMs }) => (restMs >= 1 ? sleep(restMs, undefined, { signal }).catch(() => undefined) : undefined),
      () => undefined,
    );
    return mine.then(({ reply }) => reply);
  };
  return {
    address: pipe.address,
    send: (commands) => (commands.length === 0 ? Promise.resolve([]) : inTurn(() => pipe.send(commands))),
    ask: (...command) => inTurn(() => pipe.ask(...command)),
  };
}
