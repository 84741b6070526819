import { z } from 'zod';
import { checks } from './checks.js';
import { drillPolicy } from './drill-policy.js';
import { backup } from './backup-policy.js';
import { hooks } from './hooks.js';
import { notify } from './notify-policy.js';
import { name } from './name.js';
import { policy } from './policy.js';
import { deadline } from './quantities.js';
import { secretReference } from './secret-reference.js';
import { stagingPolicy } from './staging-policy.js';

export const address = z
  .string()
  .regex(
    /^(\[[0-9a-fA-F:]+\]|[^\s:]+):([1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5])$/,
    'expected host:port with a port from 1 to 65535, for example 10.0.0.4:6379',
  );

const credentials = z.strictObject({
  username: z.string().min(1).optional().describe('ACL user (6.0 and newer); leave out for requirepass.'),
  password: secretReference
    .optional()
    .describe('Where the password lies: env:NAME or file:PATH. Never the password itself.'),
});

const tls = z.strictObject({
  ca: z.string().optional().describe('Path of the CA certificate, PEM.'),
  cert: z.string().optional().describe('Path of the client certificate, PEM.'),
  key: z.string().optional().describe('Path of the client key, PEM.'),
  serverName: z.string().optional().describe('Name to expect in the server certificate, where it is not the host.'),
  verify: z.boolean().default(true).describe('Check the server certificate.'),
});

const processPlatform = z.strictObject({
  kind: z.literal('process').describe('Nodes are processes of this machine; the worker runs beside them.'),
  servers: z
    .record(
      z.string().regex(/^(valkey-)?\d+\.\d+\.\d+$/, 'expected an exact release such as 8.0.6 or valkey-9.1.2'),
      z.string().min(1),
    )
    .default({})
    .describe(
      'Path of redis-server by release, for example 8.0.6: /opt/redis-8.0.6/bin/redis-server. What is not named is looked for on PATH and in the cache of `npm run setup`.',
    ),
  startTimeout: deadline('30s').describe(
    'How long a started process may take until it listens; loading does not count.',
  ),
  stopTimeout: deadline('60s').describe('How long a process may take to end before it is killed.'),
});

const audit = z.strictObject({
  signingKey: secretReference
    .optional()
    .describe(
      'Where the Ed25519 private key lies (PEM) that every batch of the audit trail is signed with. Left out: hashes alone.',
    ),
});

/** One Redis or Valkey installation. Rules between fields are in deployment-rules.ts. */
export const deploymentSchema = z.strictObject({
  name: name.describe('Name of the deployment, and of its file: orders in orders.yaml.'),
  topology: z.enum(['cluster']).describe('cluster; sentinel, replicated and standalone are not supported yet.'),
  seeds: z
    .array(address)
    .min(1)
    .describe(
      'host:port of any of its nodes; the others are discovered. One that answers and is no member holds an upgrade.',
    ),
  credentials: credentials.prefault({}).describe('The user that redis-rollout connects as.'),
  tls: tls.optional().describe('Connect with TLS (6.0 and newer). An empty object takes the system’s certificates.'),
  commands: z
    .record(
      z.string().regex(/^[A-Z]+$/, 'expected the name of a command in capitals, for example CONFIG'),
      z.string().min(1),
    )
    .default({})
    .describe('Commands renamed in redis.conf: CONFIG: "env:CONFIG_NAME" or the new name itself.'),
  platform: z.discriminatedUnion('kind', [processPlatform]).describe('What runs the nodes.'),
  backup: backup.describe('Every shard is backed up, and the backup verified, before anything changes.'),
  checks: checks.describe('Commands of yours that say whether what is there is what your application needs.'),
  hooks: hooks.describe('What of yours is done at named points of an upgrade, once at each.'),
  drill: drillPolicy.prefault({}).describe('What `rollout drill` rehearses.'),
  audit: audit.prefault({}).describe('How the audit trail is kept, in the target of the backups.'),
  notify: notify.prefault({}).describe('Whom `rollout approvals` tells what, and where answers come from.'),
  staging: stagingPolicy.prefault({}).describe('What `rollout staging` rehearses an upgrade on.'),
  policy: policy.prefault({}).describe('How carefully, and with whose consent.'),
});

/** The file after validation: durations in ms, sizes in bytes, defaults filled in. */
export type Deployment = z.output<typeof deploymentSchema>;
export type DeploymentFile = z.input<typeof deploymentSchema>;
export type ProcessPlatform = z.output<typeof processPlatform>;
