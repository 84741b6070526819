import type { DeploymentFile } from '../../model/deployment.js';
import { certificateFiles, selfSigned } from '../sandbox/certificate.js';
import { Sandbox } from '../sandbox/cluster.js';
import type { Scenario } from './scenario.js';

const PASSWORD = 'swordfish-of-chaos';

/** The worker's environment, for the secret's reference. */
export const environment = { CHAOS_PASSWORD: PASSWORD };

export const has = ({ faults }: Scenario, kind: Scenario['faults'][number]['kind']): boolean =>
  faults.some((fault) => fault.kind === kind);

/** The cluster of a scenario. @param folder for its certificate */
export function startCluster(scenario: Scenario, folder: string): Promise<Sandbox> {
  const { access, from, primaries, replicasEach, persistence } = scenario;
  const secured = access === 'open' ? [] : [`requirepass ${PASSWORD}`, `masterauth ${PASSWORD}`];
  const tls = access === 'tls' ? selfSigned(folder) : undefined;
  return Sandbox.cluster({
    release: from,
    primaries,
    replicasEach,
    configuration: [
      ...secured,
      ...(persistence === 'appendonly' ? ['appendonly yes', 'appendfsync always'] : []),
      ...(has(scenario, 'backlog overrun') ? ['repl-backlog-size 16kb'] : []),
      ...(tls === undefined ? [] : [...tls.lines, 'tls-auth-clients no', 'tls-replication yes', 'tls-cluster yes']),
    ],
    endpoint: {
      ...(access === 'open' ? {} : { password: PASSWORD }),
      ...(tls === undefined ? {} : { tls: tls.trust }),
    },
  });
}

/** Its deployment file, as far as the stage doesn't say it. */
export function deploymentOf(
  scenario: Scenario,
  folder: string,
): Partial<Omit<DeploymentFile, 'policy'>> & { policy: NonNullable<DeploymentFile['policy']> } {
  const { access, policy, load } = scenario;
  return {
    ...(access === 'open' ? {} : { credentials: { password: 'env:CHAOS_PASSWORD' } }),
    ...(access === 'tls' ? { tls: { ca: certificateFiles(folder).cert } } : {}),
    policy: {
      handover: policy.handover,
      parallelShards: policy.parallelShards,
      canarySoak: `${policy.canarySoakMs}ms`,
      soak: `${policy.soakMs}ms`,
      ttlTolerance: `${TTL_TOLERANCE_MS}ms`,
      probe: { rate: load.probe },
      ...(has(scenario, 'backlog overrun') ? { backlog: { seconds: 1, grow: false } } : {}),
    },
  };
}

/** How far an expiry may be off after the upgrade, ms. */
export const TTL_TOLERANCE_MS = 2000;
