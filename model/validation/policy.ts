import { z } from 'zod';
import { duration, size } from '../quantities.js';

const times = (fallback: number) => z.number().min(1).default(fallback);
const share = (fallback: number) => z.number().min(0).max(1).default(fallback);

/** `policy.validation` of the deployment file: what the upgraded deployment is held against. */
export const validationPolicy = z.strictObject({
  measure: duration('10s').describe(
    'How long is measured, before anything is touched and again after the last node. 0s: nothing is measured, and nothing compared.',
  ),
  latency: times(2).describe('The probe’s 99th percentile may be so many times what it was.'),
  leastLatency: duration('5ms').describe('Below this no latency of the probe is too much, whatever it was.'),
  commandTime: times(2).describe('A call of any command may take the server so many times what it did.'),
  leastCommandTime: z
    .number()
    .min(0)
    .default(100)
    .describe('Below so many microseconds a call, no command takes too long, whatever it took.'),
  leastCalls: z.number().int().min(1).default(100).describe('Commands with fewer calls in one measure are not judged.'),
  throughput: share(0.1).describe(
    'Commands a second, as a share of what they were: the least. By night there are fewer than by day, whatever the release.',
  ),
  hitRate: share(0.05).describe('By how much the share of lookups that find their key may fall.'),
  errorRate: share(0.001).describe('By how much the share of commands that are answered with an error may rise.'),
  memory: times(1.5).describe('The primaries’ memory, by their number of keys, may be so many times what it was.'),
  leastMemory: size('256MB').describe(
    'Below this no memory of a primary is too much, whatever it was: with few keys most of it is buffers.',
  ),
});

export type ValidationPolicy = z.output<typeof validationPolicy>;
