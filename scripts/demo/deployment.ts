import { join } from 'node:path';
import type { DeploymentFile } from '../../model/deployment.js';
import type { Sandbox } from '../sandbox/cluster.js';
import type { S3Server } from '../sandbox/s3-server.js';
import type { SlackServer } from '../sandbox/slack-server.js';

/** Who may answer which question in the demo. */
export const people = { engineering: 'ana', operations: 'ben', product: 'cleo' } as const;

/** Their ids in Slack. */
export const members = { ana: 'U0DEMOANA', ben: 'U0DEMOBEN', cleo: 'U0DEMOCLEO' } as const;

/** Soaks are seconds here, and days in earnest. */
export const deploymentFile = (
  cluster: Sandbox,
  folder: string,
  policy: NonNullable<DeploymentFile['policy']>,
): DeploymentFile => ({
  name: 'orders',
  topology: 'cluster',
  seeds: cluster.nodes.map((node) => node.address),
  platform: { kind: 'process' },
  backup: { directory: join(folder, 'backups') },
  policy: {
    canarySoak: '3s',
    // A laptop that has other things to do is no worse release.
    validation: { measure: '5s', leastLatency: '500ms', commandTime: 20 },
    // The handover's own pause is in the window of the next gate, and a laptop has other things to do.
    gates: { maxLatency: '1s' },
    roles: Object.fromEntries(Object.entries(people).map(([role, person]) => [role, [person]])),
    approvals: { handover: { roles: ['engineering', 'operations'] }, finalize: { roles: ['product'] } },
    ...policy,
  },
});

/** What is taken back is so during its soak, which must not end before. */
export const takenBack: NonNullable<DeploymentFile['policy']> = {
  ...{ fallback: 'standby', soak: '1h', parallelShards: 3 },
};

/** Backups in a bucket, and an archive. */
export const kept = ({ bucket, endpoint }: S3Server, folder: string): Pick<DeploymentFile, 'backup' | 'drill'> => ({
  backup: {
    directory: join(folder, 'backups'),
    encryption: { key: 'env:DEMO_BACKUP_KEY' },
    target: {
      ...{ kind: 's3', bucket, endpoint },
      ...{ accessKeyId: 'env:DEMO_ACCESS_KEY_ID', secretAccessKey: 'env:DEMO_SECRET_ACCESS_KEY' },
    },
  },
  drill: { objectives: { recoveryTime: '5m', recoveryPoint: '15m' }, nodeTimeout: '2s' },
});

/** Nothing is begun before it was rehearsed, and everybody is asked, each with somebody of another role. */
export const rehearsed: NonNullable<DeploymentFile['policy']> = {
  ...{ staging: 'required', fallback: 'standby', canarySoak: '1s', soak: '3s', parallelShards: 3 },
  validation: { measure: '3s', leastLatency: '500ms', commandTime: 20 },
  people: Object.fromEntries(Object.entries(members).map(([person, slack]) => [person, { slack }])),
  approvals: {
    start: { roles: ['operations'] },
    handover: { roles: ['engineering', 'operations'], quorum: 2 },
    finalize: { roles: ['product'] },
  },
};

/** Where the copy has its nodes. */
export const copyIn = (folder: string): string => join(folder, 'copy');

/** Seconds in the place of minutes: enough to show what is measured, and too few to know a release by. */
export const rehearsal = (
  folder: string,
  { url }: SlackServer,
  temporalUi: string | undefined,
): Pick<DeploymentFile, 'backup' | 'staging' | 'notify'> => ({
  backup: {
    directory: join(folder, 'backups'),
    encryption: { key: 'env:DEMO_BACKUP_KEY' },
    target: { kind: 'folder', folder: join(folder, 'target') },
  },
  staging: {
    directory: copyIn(folder),
    benchmark: { rounds: 3, duration: '1s', warmUp: '200ms', requests: 500, connections: 1 },
    soak: '3s',
    // Of a machine that does everything else besides; and of so little data most memory is what an empty server has.
    targets: [
      { measure: 'memory', change: '+900%' },
      { measure: 'latency.p50', change: '+300%' },
    ],
    approvals: { operations: { roles: ['operations'] }, product: { roles: ['product'] } },
  },
  notify: {
    ...(temporalUi === undefined ? {} : { temporalUi }),
    slack: { token: 'env:DEMO_SLACK_TOKEN', signingSecret: 'env:DEMO_SLACK_SECRET', url },
    routes: [{ to: { kind: 'slack', channel: 'C0DEMO' } }],
  },
});
