import { z } from 'zod';
import { deadline, optionalDeadline } from './quantities.js';

const check = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'expected lower-case letters, digits and dashes, 63 at most')
    .describe('What it is called in the record.'),
  command: z
    .array(z.string().min(1))
    .min(1, 'expected a program and its arguments')
    .describe('Program and arguments. The scratch cluster is in REDIS_URL and REDIS_NODES; exit code 0 is a pass.'),
  timeout: deadline('1m').describe('How long it may take.'),
});

/** `drill` of the deployment file. */
export const drillPolicy = z.strictObject({
  objectives: z
    .strictObject({
      recoveryTime: optionalDeadline().describe(
        'From nothing to every key served, at the most. Left out: measured only.',
      ),
      recoveryPoint: optionalDeadline().describe(
        'How old the backup may be at the beginning of a drill. Left out: measured only.',
      ),
    })
    .prefault({})
    .describe('What recovery is held against.'),
  checks: z
    .array(check)
    .default([])
    .describe('Commands of yours that the worker runs against the restored scratch cluster.'),
  failures: z
    .boolean()
    .default(true)
    .describe(
      'Then also kill a primary of the scratch cluster, and lose one of its shards, and measure how that goes.',
    ),
  nodeTimeout: deadline('15s').describe(
    'cluster-node-timeout of the scratch cluster; the deployment’s own, where its failovers are to be told.',
  ),
});

export type DrillPolicy = z.output<typeof drillPolicy>;
