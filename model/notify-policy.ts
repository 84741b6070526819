import { z } from 'zod';
import { secretReference } from './secret-reference.js';

/** What people can be told of, in the order of an operation's life. */
export const eventKinds = [
  'started',
  'question',
  'answer',
  'blocked',
  'control',
  'progress',
  'failure',
  'ended',
] as const;
export type EventKind = (typeof eventKinds)[number];

const webAddress = (example: string) =>
  z
    .url({ protocol: /^https?$/, error: `expected an http or https address, for example ${example}` })
    .refine((text) => !/^[a-z]+:\/\/[^/?#]*@/i.test(text), 'expected an address without user and password');

const destination = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('slack').describe('A channel of Slack, where questions have buttons.'),
    channel: z
      .string()
      .regex(/^[CG][A-Z0-9]{2,}$/, 'expected Slack’s id of a channel, for example C024BE91L')
      .describe('Slack’s id of the channel, as “View channel details” shows it.'),
  }),
  z.strictObject({
    kind: z.literal('webhook').describe('An address that takes signed POSTs, by the Standard Webhooks specification.'),
    url: webAddress('https://chat.example.com/hooks/redis').describe('Where to.'),
    secret: secretReference.describe('Signs what is sent: whsec_ and base64, as the specification has it.'),
  }),
  z.strictObject({
    kind: z.literal('email').describe('Mail, by way of smtp.'),
    to: z.array(z.email('expected an e-mail address')).min(1).describe('Addresses.'),
  }),
  z.strictObject({
    kind: z
      .literal('pagerduty')
      .describe('Events API v2: what holds or failed is an alert, resolved when that is over.'),
    routingKey: secretReference.describe('Integration key of the service.'),
    url: webAddress('https://events.pagerduty.com')
      .default('https://events.pagerduty.com')
      .describe('Of another region.'),
  }),
  z.strictObject({
    kind: z
      .literal('teams')
      .describe('A channel of Microsoft Teams, by a workflow “when a webhook request is received”.'),
    webhook: secretReference.describe('Its address, which is a secret: whoever has it may post there.'),
  }),
]);

const route = z.strictObject({
  to: destination.describe('Where to.'),
  events: z
    .array(z.enum(eventKinds, `expected ${eventKinds.join(', ')}`))
    .min(1)
    .default(eventKinds.filter((kind) => kind !== 'progress'))
    .describe(`What of: ${eventKinds.join(', ')}. Left out: all but progress.`),
  roles: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe('Of questions and answers only those that one of these roles is asked. Left out: all.'),
});

const slack = z.strictObject({
  token: secretReference.describe(
    'Bot token, xoxb-…: chat:write, users:read, channels:history; users:read.email for addresses.',
  ),
  signingSecret: secretReference
    .optional()
    .describe('Checks what Slack sends to /slack/interactions, for buttons by HTTP.'),
  appToken: secretReference
    .optional()
    .describe('App-level token, xapp-…: buttons by Socket Mode, where nothing of yours can be reached from outside.'),
  url: webAddress('https://slack.com/api/').default('https://slack.com/api/').describe('Where Slack’s API is.'),
});

const smtp = z.strictObject({
  host: z.string().min(1).describe('Mail server.'),
  port: z.int().min(1).max(65_535).default(587).describe('465 is TLS from the start; on others STARTTLS is expected.'),
  tls: z
    .enum(['required', 'off'])
    .default('required')
    .describe('required: nothing is sent unencrypted. off: for a relay on this machine.'),
  username: z.string().min(1).optional().describe('Left out: without logging in.'),
  password: secretReference.optional().describe('env:NAME or file:PATH.'),
  from: z.string().min(3).describe('Sender: redis-rollout <rollout@example.com>.'),
});

/** Whom `rollout approvals` tells what. Rules between fields are in notify-rules.ts. */
export const notify = z.strictObject({
  temporalUi: webAddress('https://temporal.example.com').optional().describe('Address of the Temporal UI, for links.'),
  slack: slack.optional().describe('The Slack app that messages come from.'),
  smtp: smtp.optional().describe('The server that mail goes through.'),
  webhookIn: z
    .strictObject({ secret: secretReference.describe('Checks what is sent: whsec_ and base64.') })
    .optional()
    .describe('Answers from elsewhere: signed POSTs to /hooks/<deployment>.'),
  routes: z.array(route).default([]).describe('What goes where.'),
});

export type Notify = z.output<typeof notify>;
export type Route = Notify['routes'][number];
export type Destination = Route['to'];
export type DestinationOf<Kind extends Destination['kind']> = Extract<Destination, { kind: Kind }>;
