import type { ClockReading } from '../model/clocks.js';
import type { NodeConnection } from './connection.js';

/** Reads a node's clock (TIME: seconds and microseconds) against this process's own. */
export async function readClock(connection: NodeConnection): Promise<ClockReading> {
  const asked = Date.now();
  const [seconds, microseconds] = (await connection.call('TIME')) as [string, string];
  const answered = Date.now();
  return {
    ms: Number(seconds) * 1000 + Number(microseconds) / 1000 - (asked + answered) / 2,
    uncertaintyMs: (answered - asked) / 2,
  };
}
