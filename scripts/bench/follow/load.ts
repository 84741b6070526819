import { setTimeout as sleep } from 'node:timers/promises';
import type { Endpoint } from '../../../redis/connection.js';
import { ErrorReply } from '../../../redis/resp.js';
import { Pipe } from '../../../redis/verify/pipe.js';
import { workloads, type WorkloadName } from './workloads.js';

const AT_ONCE = 200;
const UNDER_WAY = 8;

export interface Load {
  primary: Endpoint;
  workload: WorkloadName;
  /** The first command's number. */
  from: number;
  commands: number;
  /** As fast as it goes where it is left out. */
  perSecond?: number;
}

/**
 * Writes so many commands, pipelined.
 *
 * @returns how long it took, ms
 * @throws Error when a command was refused: what is measured would be something else
 */
export async function write({ primary, workload, from, commands, perSecond }: Load): Promise<number> {
  using pipe = await Pipe.open(primary, { readonly: false, noTouch: false, timeoutMs: 60_000 });
  const command = workloads[workload];
  const begun = performance.now();
  const underWay: Promise<void>[] = [];
  for (let sent = 0; sent < commands;) {
    const due = perSecond === undefined ? commands : Math.floor(((performance.now() - begun) * perSecond) / 1000);
    const count = Math.min(AT_ONCE, commands - sent, due - sent);
    if (count <= 0) {
      await sleep(1);
      continue;
    }
    const first = from + sent;
    const asked = pipe.send(Array.from({ length: count }, (_, n) => command(first + n))).then((replies) => {
      const refused = replies.find((reply) => reply instanceof ErrorReply);
      if (refused instanceof ErrorReply) throw new Error(`${workload}: ${refused.message}`);
    });
    underWay.push(asked);
    if (underWay.length >= UNDER_WAY) await underWay.shift();
    sent += count;
  }
  await Promise.all(underWay);
  return performance.now() - begun;
}
