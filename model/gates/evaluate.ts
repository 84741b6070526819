import type { Policy } from '../policy.js';
import { fail, type Verdict } from '../verdict.js';
import { clockGate } from './clock-gate.js';
import { errorsGate, latencyGate, queryGate } from './client-gates.js';
import { diskGate, lagGate, memoryGate, replicationGate, topologyGate } from './cluster-gates.js';
import { standbyGate } from './standby-gate.js';
import { gateNames, type GateName } from './names.js';
import type { GateObservation } from './observation.js';

export interface GateResult {
  gate: string;
  verdict: Verdict;
  /** Why a fallback needn't wait for it any more. */
  lost?: string;
}

export type GatePolicyParts = Pick<Policy, 'gates' | 'probe' | 'ttlTolerance' | 'fallback' | 'fallbackLost'>;

const builtIn: Record<GateName, (observation: GateObservation, policy: GatePolicyParts) => Verdict> = {
  topology: (observation) => topologyGate(observation),
  replication: (observation) => replicationGate(observation),
  lag: (observation, { gates }) => lagGate(observation, gates),
  memory: (observation, { gates }) => memoryGate(observation, gates),
  disk: (observation, { gates }) => diskGate(observation, gates),
  clock: clockGate,
  latency: latencyGate,
  errors: errorsGate,
  standby: standbyGate,
};

/** Every gate that a policy has, in the order of evaluation: the built-in ones, then its PromQL queries. */
export const gatesOf = ({ gates }: Pick<Policy, 'gates'>): string[] => [
  ...gateNames,
  ...(gates.prometheus?.queries.map(({ name }) => name) ?? []),
];

/**
 * Judges each named gate. A gate that doesn't exist fails: a slip in a name must not open the way.
 *
 * @param names which gates; by default every one of the policy
 */
export function evaluateGates(
  observation: GateObservation,
  policy: GatePolicyParts,
  names: readonly string[] = gatesOf(policy),
): GateResult[] {
  return names.map((gate) => ({ gate, verdict: judge(observation, policy, gate) }));
}

function judge(observation: GateObservation, policy: GatePolicyParts, gate: string): Verdict {
  if (isBuiltIn(gate)) return builtIn[gate](observation, policy);
  const query = policy.gates.prometheus?.queries.find(({ name }) => name === gate);
  return query
    ? queryGate(observation, query)
    : fail(`there is no gate '${gate}'; there are ${gatesOf(policy).join(', ')}`, 'name one of these');
}

const isBuiltIn = (gate: string): gate is GateName => (gateNames as readonly string[]).includes(gate);
