import { z } from 'zod';
import { benchmarkPolicy, benchmarkTargets } from './benchmark.js';
import { ownCommand } from './checks.js';
import { loadShape } from './load-shape.js';
import { name } from './name.js';
import { deadline, duration } from './quantities.js';

const about = {
  name: name.describe('What it is called in the record.'),
  timeout: deadline('1m').describe('How long it may take.'),
};

const check = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('http').describe('A request to an application that works with the copy.'),
    ...about,
    url: z
      .url({ protocol: /^https?$/, error: 'expected an http or https address' })
      .describe('Address of it. {nodes}, {host} and {port} in it are the copy’s.'),
    method: z.enum(['GET', 'POST']).default('GET').describe('Method of the request.'),
    body: z.string().optional().describe('Sent with POST. {nodes}, {host} and {port} in it are the copy’s.'),
    status: z.int().min(100).max(599).default(200).describe('Of the answer, where it is to pass.'),
    contains: z.string().min(1).optional().describe('Text that the answer has to contain.'),
  }),
  z.strictObject({
    kind: z.literal('container').describe('An image that docker or podman runs. Exit code 0 is a pass.'),
    ...about,
    image: z
      .string()
      .regex(/^[a-z0-9]\S*$/, 'expected the name of an image, with its tag or digest')
      .describe('Image, with its tag or digest.'),
    command: ownCommand
      .optional()
      .describe('In the place of the image’s own. The copy is in REDIS_URL and REDIS_NODES.'),
  }),
]);
export type StagingCheck = z.output<typeof check>;

const signOff = z.strictObject({
  roles: z.array(z.string().min(1)).min(1).describe('Any of these roles may approve.'),
  quorum: z.int().min(1).default(1).describe('How many different people have to.'),
  expires: deadline('7d').describe(
    'A question that is not answered by then is asked anew, and answers given are void.',
  ),
  selfApproval: z.boolean().default(false).describe('Does the person who started the rehearsal count?'),
});

/** What a copy has in the place of production's keys and values. */
const mask = z
  .strictObject({
    values: z
      .boolean()
      .default(true)
      .describe(
        'Other bytes in the place of strings, elements, fields and names of groups: as many, numbers for numbers, the same for the same.',
      ),
    keys: z
      .boolean()
      .default(true)
      .describe('Other names in the place of keys’: as long, in the same slot, with the same tag where there was one.'),
    functions: z
      .boolean()
      .default(false)
      .describe(
        'Copies function libraries as they are; nothing in them can be masked, so they are left out otherwise.',
      ),
    except: z
      .array(z.string().min(1))
      .default([])
      .describe('Patterns of keys, as KEYS takes them, that are copied as they are with what they hold: config:*.'),
  })
  .refine(({ values, keys }) => values || keys, 'expected values or keys to be masked');
export type StagingMask = z.output<typeof mask>;

/** What the copy's statement says of it. */
export const maskText = ({ values, keys, except }: StagingMask): string =>
  `${[...(values ? ['values'] : []), ...(keys ? ['keys'] : [])].join(' and ')} masked${except.length === 0 ? '' : `, but for ${except.join(', ')}`}`;

/** `staging` of the deployment file. */
export const stagingPolicy = z.strictObject({
  directory: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Where the copy’s nodes have their folders, on the worker’s machine; _staging below backup.directory by default.',
    ),
  mask: mask
    .optional()
    .describe('What the copy has other keys or values in the place of production’s for; without it they are the same.'),
  replicas: z.int().min(1).max(5).default(1).describe('Replicas of each of its shards.'),
  load: loadShape
    .optional()
    .describe(
      'What production’s traffic looks like, as an assessment measures it; without it one is assumed, and said so.',
    ),
  benchmark: benchmarkPolicy.prefault({}).describe('How before and after are measured.'),
  targets: benchmarkTargets.describe(
    'What the upgrade is to bring, or may cost. None: it is measured, and not judged.',
  ),
  checks: z
    .array(check)
    .default([])
    .describe(
      'What else of yours is run against the copy, beside those of checks: a request, or a container; before and after.',
    ),
  soak: duration('24h').describe('How long the upgraded copy is watched before people are asked.'),
  validFor: duration('30d').describe(
    'With policy.staging: required. How long a rehearsal that ended in go lets production begin, from its end on.',
  ),
  approvals: z
    .record(name, signOff)
    .default({})
    .describe('Who signs it off, by the name of the question: product, operations. Asked at the end, with the report.'),
});

export type StagingPolicy = z.output<typeof stagingPolicy>;
