import { z } from 'zod';
import { isDay } from './freeze.js';
import { name } from './name.js';
import { people, publicKey } from './people.js';
import { deadline, duration, size, timezone } from './quantities.js';
import { secretReference } from './secret-reference.js';
import { validationPolicy } from './validation/policy.js';
import { weekdays } from './windows.js';

const promql = z.strictObject({
  name: name.describe('How the gate is called in status and overrides.'),
  query: z.string().min(1).describe('PromQL that yields one number, or one a series (all must hold).'),
  below: z.number().optional().describe('Holds while every value is less than this.'),
  above: z.number().optional().describe('Holds while every value is greater than this.'),
});

const gates = z.strictObject({
  memoryHeadroom: z
    .number()
    .min(0)
    .max(1)
    .default(0.1)
    .describe('Share of maxmemory (or of the machine’s memory where none is set) that must be free.'),
  diskHeadroom: z.number().min(0).default(2).describe('Free disk as a multiple of the dataset’s size.'),
  maxLag: size('1MB').describe('Largest distance of a replica from its primary, bytes of the stream.'),
  maxLatency: duration('100ms').describe('Largest 99th percentile of the probe over the last ten seconds.'),
  maxErrorRate: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe('Share of the probe’s operations that may fail over the last ten seconds.'),
  maxStandbyLag: size('16MB').describe('Largest distance of a standby from its primary, bytes of the stream.'),
  maxStandbyDelay: duration('10s').describe('How long a standby may not have been at the end of its primary’s stream.'),
  prometheus: z
    .strictObject({
      url: z
        .url({ protocol: /^https?$/, error: 'expected an http or https address, for example http://prometheus:9090' })
        .refine(
          (text) => !/^[a-z]+:\/\/[^/?#]*@/i.test(text),
          'expected an address without user and password: name a bearer token under token (env:NAME or file:PATH)',
        )
        .describe('Address of Prometheus, or of anything that speaks its HTTP API.'),
      token: secretReference.optional().describe('Bearer token: env:NAME or file:PATH.'),
      queries: z.array(promql).min(1).describe('Each is a gate of its own.'),
    })
    .optional()
    .describe('Gates over your own metrics.'),
});

const approval = z.strictObject({
  roles: z.array(name).min(1).describe('Any of these roles may approve.'),
  quorum: z.number().int().min(1).default(1).describe('How many different people have to.'),
  expires: deadline('24h').describe(
    'A question that is not answered by then is asked anew, and answers given are void.',
  ),
  selfApproval: z.boolean().default(false).describe('Does the person who started the upgrade count?'),
});

/** What an upgrade or a fallback may ask people. */
export const approvalQuestions = ['start', 'handover', 'finalize', 'restore'] as const;

const handoverApproval = approval.extend({
  per: z.enum(['upgrade', 'shard']).default('upgrade').describe('Ask once, before the first handover, or before each.'),
});

const window = z.strictObject({
  days: z
    .array(z.enum(weekdays))
    .min(1)
    .describe('Days on which it opens: sun, mon, tue, wed, thu, fri, sat. One over midnight closes on the day after.'),
  from: z
    .string('expected a time of day such as 22:00')
    .regex(/^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?$/, 'expected a time of day such as 22:00')
    .describe('When it opens, on the clocks of its time zone. A time that comes twice is the first of both.'),
  to: z
    .string('expected a time of day such as 04:00')
    .regex(/^(([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?|24:00)$/, 'expected a time of day such as 04:00, or 24:00')
    .describe('When it closes: the same day, or, where that is not later than it opens, the day after.'),
  timezone: timezone.describe('Whose clocks: Europe/Berlin, America/New_York, UTC.'),
});

const freezeDay = z
  .string('expected a day such as 2026-12-20, or 12-20 for every year')
  .refine(isDay, 'expected a day such as 2026-12-20, or 12-20 for every year');

const freeze = z.strictObject({
  from: freezeDay.describe('The first day, 2026-12-20; of every year, 12-20.'),
  to: freezeDay
    .optional()
    .describe(
      'The last day, which is frozen too; left out, it is one day. Before from, of every year: in the year after.',
    ),
  timezone: timezone.default('UTC').describe('Whose days: Europe/Berlin, America/New_York, UTC.'),
  reason: z.string().min(1).describe('Said wherever something waits for it.'),
});

const probe = z.strictObject({
  enabled: z
    .boolean()
    .default(true)
    .describe('Measure what clients see, and keep the ledger of acknowledged writes. Without it nothing is proven.'),
  rate: z
    .number()
    .int()
    .min(1)
    .max(1000)
    .default(50)
    .describe('Operations a second, for each shard and each of the four clients (write and read, ioredis and raw).'),
  prefix: z
    .string()
    .min(1)
    .default('redis-rollout')
    .describe('Keys are <prefix>:{tag}:…; they are removed at the end.'),
});

const fallbackWhen = z.strictObject({
  gates: z
    .array(name)
    .default([])
    .describe('Names of gates, built-in ones (latency, errors, …) or of your queries. None: only people take it back.'),
  for: deadline('5m').describe('How long one of them has not passed, at a stretch, before it falls back.'),
});

/** `policy` of the deployment file. */
export const policy = z.strictObject({
  parallelShards: z.number().int().min(1).default(1).describe('How many shards are upgraded at the same time.'),
  canarySoak: duration('10m').describe('How long the first upgraded replica is watched before the next step.'),
  soak: duration('24h').describe('How long the upgraded deployment is watched before finalize is asked for.'),
  settle: duration('11s').describe('The least time between two role changes of a shard.'),
  handover: z
    .enum(['safe', 'fast'])
    .default('safe')
    .describe(
      'safe: the coordinated failover. fast: the coordinated takeover, from 6.2 on; falls back to safe where its preconditions do not hold.',
    ),
  backlog: z
    .strictObject({
      seconds: z
        .number()
        .min(1)
        .default(120)
        .describe('The replication backlog must hold this many seconds of writes at the measured rate.'),
      grow: z
        .boolean()
        .default(true)
        .describe('Enlarge repl-backlog-size for the upgrade where it is too small; put back afterwards.'),
    })
    .prefault({})
    .describe('A replica that was down continues from the backlog; one that is too small costs a full resync.'),
  ttlTolerance: duration('1s').describe('Largest difference of an expiry time between primary and replica.'),
  ttlRepair: z
    .boolean()
    .default(true)
    .describe(
      'Where a key expires later than that on a node which was away (up to 6.x), have its primary say the point in time again: PEXPIREAT with the same expiry. Needs EVAL.',
    ),
  verify: z.enum(['all', 'sample']).default('all').describe('Compare every key, or 10,000 random keys a node.'),
  windows: z
    .array(window)
    .default([])
    .describe(
      'Maintenance windows: outside of them no node and no handover is begun, nor where the time left is shorter than the plan expects. None: any time will do.',
    ),
  freeze: z
    .array(freeze)
    .default([])
    .describe(
      'Days on which no node and no handover is begun, whatever the windows say. A fallback is never held by them.',
    ),
  fallback: z
    .enum(['standby', 'backup', 'none'])
    .default('backup')
    .describe(
      'What an upgrade can be taken back with until finalize. standby: one node of the previous release a shard, kept identical: no write is lost; needs each shard’s memory once more. backup: as far back as the backup from before, and what was written since is lost. none: replicas of shards that were not handed over yet, and nothing else.',
    ),
  fallbackLost: z
    .enum(['hold', 'warn'])
    .default('hold')
    .describe(
      'With fallback: standby. Where going back would lose something after all (a value that the previous release can’t hold, a lost standby). hold: the gate standby fails, and the upgrade holds. warn: it is said, and goes on.',
    ),
  fallbackWhen: fallbackWhen
    .prefault({})
    .describe('During the soak: gates that take the upgrade back by themselves, without asking anybody.'),
  gates: gates.prefault({}).describe('What must hold before each step.'),
  staging: z
    .enum(['required', 'optional'])
    .default('optional')
    .describe(
      'required: an upgrade begins only once the newest rehearsal of the same releases (`rollout staging`) ended in go.',
    ),
  roles: z
    .record(name, z.array(z.string().min(1)).min(1))
    .default({})
    .describe('Who holds which role: engineering: [ana, ben].'),
  people: people.optional().describe('What else is known of those whom roles name, by the same names.'),
  approvals: z
    .strictObject({
      signed: z
        .boolean()
        .default(false)
        .describe(
          'Answers count only where they are signed, so that whoever reaches Temporal can’t give them for others.',
        ),
      chatKeys: z
        .array(publicKey)
        .optional()
        .describe(
          'Public keys of `rollout approvals`: what it signs counts for whoever pressed the button. Left out, people’s own keys alone count.',
        ),
      start: approval.optional().describe('Before anything is changed.'),
      handover: handoverApproval.optional().describe('Before a primary is handed over.'),
      finalize: approval.optional().describe('After the soak, before the upgrade is ended.'),
      restore: approval
        .optional()
        .describe(
          'Before a shard without a standby is restored from its backup, and what was written since is given up. Always asked: where it is left out, one person of any role decides.',
        ),
    })
    .prefault({})
    .describe('Questions to people; what is left out is not asked.'),
  validation: validationPolicy
    .prefault({})
    .describe(
      'What the upgraded deployment is held against, before it soaks: what it was like before anything was touched.',
    ),
  probe: probe.prefault({}).describe('The clients that measure the upgrade from outside.'),
});

export type Policy = z.output<typeof policy>;
export type GatePolicy = Policy['gates'];
export type ApprovalPolicy = z.output<typeof approval>;
export type ProbePolicy = Policy['probe'];
