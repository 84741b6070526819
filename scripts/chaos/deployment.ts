import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DeploymentFile } from '../../model/deployment.js';
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
  const tls = access === 'tls' ? certificate(folder) : undefined;
  return Sandbox.cluster({
    release: from,
    primaries,
    replicasEach,
    configuration: [
      ...secured,
      ...(persistence === 'appendonly' ? ['appendonly yes', 'appendfsync always'] : []),
      ...(has(scenario, 'backlog overrun') ? ['repl-backlog-size 16kb'] : []),
      ...(tls === undefined
        ? []
        : [
            `tls-cert-file "${tls.cert}"`,
            `tls-key-file "${tls.key}"`,
            `tls-ca-cert-file "${tls.cert}"`,
            'tls-auth-clients no',
            'tls-replication yes',
            'tls-cluster yes',
          ]),
    ],
    endpoint: {
      ...(access === 'open' ? {} : { password: PASSWORD }),
      ...(tls === undefined ? {} : { tls: { ca: readFileSync(tls.cert), verify: true } }),
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

const certificateFiles = (folder: string): { key: string; cert: string } => ({
  key: join(folder, 'node.key'),
  cert: join(folder, 'node.crt'),
});

function certificate(folder: string): { key: string; cert: string } {
  const { key, cert } = certificateFiles(folder);
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-keyout', key, '-out', cert, '-subj', '/CN=sandbox', '-addext', 'subjectAltName=IP:127.0.0.1'], { stdio: 'ignore' }); // prettier-ignore
  return { key, cert };
}
