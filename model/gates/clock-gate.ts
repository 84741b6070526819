import { clockHarm, clocksOff, clockText } from '../clocks.js';
import type { Policy } from '../policy.js';
import { formatDuration } from '../duration.js';
import { allNodes } from '../topology.js';
import { pass, wait, type Verdict } from '../verdict.js';
import { list } from './cluster-gates.js';
import type { GateObservation } from './observation.js';

/** Do the nodes go by the same time? Whoever is promoted expires keys by its own clock. */
export function clockGate(
  { topology, clocks }: GateObservation,
  { ttlTolerance }: Pick<Policy, 'ttlTolerance'>,
): Verdict {
  const addresses = allNodes(topology).map(({ address }) => address);
  const silent = addresses.filter((address) => clocks[address] === undefined);
  if (addresses.length === 0 || silent.length > 0)
    return wait(`${silent.length > 0 ? list(silent) : 'no node'} did not tell its time`, 'every node answers TIME');
  const off = clocksOff(clocks, ttlTolerance);
  if (off.length === 0) return pass(`no clock is off by more than ${formatDuration(ttlTolerance)}`);
  return wait(
    list(off.map((it) => `${clockText(it)}: ${clockHarm(it)}`)),
    `the clocks of all nodes agree within ${formatDuration(ttlTolerance)} (policy.ttlTolerance): set the machine's clock right`,
  );
}
