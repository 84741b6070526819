import { z } from 'zod';
import { deadline, optionalDeadline } from './quantities.js';

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
