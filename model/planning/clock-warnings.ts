import { clockHarm, clocksOff, clockText, type ClockReading } from '../clocks.js';
import type { Policy } from '../policy.js';
import { formatDuration } from '../duration.js';
import type { PlanWarning } from '../plan.js';
import type { NodeView } from '../topology.js';
import type { PlanFacts } from './facts.js';

/** Nodes that go by another time than the others: the gate `clock` would hold before them. */
export function clockWarnings(
  nodes: readonly NodeView[],
  facts: PlanFacts,
  { ttlTolerance }: Pick<Policy, 'ttlTolerance'>,
): PlanWarning[] {
  const readings = nodes.flatMap(({ address }): [string, ClockReading][] => {
    const clock = facts.nodes[address]?.clock;
    return clock ? [[address, clock]] : [];
  });
  return clocksOff(Object.fromEntries(readings), ttlTolerance).map((it) => {
    const said = clockText(it);
    return {
      severity: 'warning',
      subject: it.address,
      text: `T${said.slice(1)}: ${clockHarm(it)}.`,
      next: `Set the clock of its machine right: the gate \`clock\` holds while it is off by more than ${formatDuration(ttlTolerance)} (policy.ttlTolerance).`,
    };
  });
}
