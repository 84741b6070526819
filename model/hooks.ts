import { z } from 'zod';
import { name } from './name.js';
import { ownCommand } from './checks.js';
import { formatDuration } from './duration.js';
import { deadline } from './quantities.js';

/** Every moment at which something of one's own may be done, in the order of an upgrade. */
export const hookPoints = [
  'before upgrade',
  'before backup',
  'after backup',
  'before rolling',
  'before shard',
  'before node',
  'after node',
  'before handover',
  'after handover',
  'after shard',
  'after rolling',
  'before validation',
  'after validation',
  'before soak',
  'after soak',
  'before finalize',
  'before fallback',
  'after fallback',
  'ended',
] as const;
export type HookPoint = (typeof hookPoints)[number];

const reference = z
  .string()
  .regex(/^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$/, 'expected env:NAME or file:PATH, never the secret itself');

const http = z.strictObject({
  url: z
    .url({
      protocol: /^https?$/,
      error: 'expected an http or https address, for example https://changes.example.com/redis',
    })
    .refine(
      (text) => !/^[a-z]+:\/\/[^/?#]*@/i.test(text),
      'expected an address without user and password: name a bearer token under token (env:NAME or file:PATH)',
    )
    .describe('Where the call goes, as POST with a JSON body; an answer of 2xx is a success, a redirect is none.'),
  token: reference.optional().describe('Bearer token: env:NAME or file:PATH.'),
  secret: reference
    .optional()
    .describe('What the call is signed with, as Standard Webhooks has it (whsec_…): env:NAME or file:PATH.'),
});

const workflow = z.strictObject({
  type: z.string().min(1).describe('Type of the workflow that is started as a child.'),
  taskQueue: z.string().min(1).describe('Task queue that your worker of it polls.'),
});

const hook = z.strictObject({
  name: name.describe('What it is called in status, timeline and overrides.'),
  at: z
    .array(z.enum(hookPoints, `expected ${hookPoints.join(', ')}`))
    .min(1)
    .describe(`When it is done: ${hookPoints.join(', ')}.`),
  command: ownCommand.optional().describe('Program and arguments, run by the worker; exit code 0 is a success.'),
  http: http.optional().describe('An HTTP call.'),
  workflow: workflow.optional().describe('A workflow of yours, as a child of the operation.'),
  timeout: deadline('1m').describe('How long one attempt may take.'),
  onFailure: z
    .enum(['hold', 'abort', 'ignore'])
    .default('hold')
    .describe(
      'hold: it is tried again, ever less often, until it succeeds or somebody overrides it. abort: the operation stops. ignore: it is said, and goes on.',
    ),
});

/** `hooks` of the deployment file. */
export const hooks = z.array(hook).default([]);

export type Hook = z.output<typeof hook>;

/** What a workflow has to know of a hook: where secrets lie is its activity's to read, anew each time. */
export type PlannedHook = Pick<Hook, 'name' | 'at' | 'timeout' | 'onFailure' | 'workflow'>;

export const plannedHooks = (all: readonly Hook[]): PlannedHook[] =>
  all.map(({ name, at, timeout, onFailure, workflow }) => ({
    ...{ name, at, timeout, onFailure },
    ...(workflow ? { workflow } : {}),
  }));

/** What a hook is told: a command in its environment, a call as its body, a workflow as its input. */
export interface HookCall {
  hook: string;
  point: HookPoint;
  deployment: string;
  /** Id and run of the operation. */
  operation: string;
  run: string;
  from: string;
  to: string;
  shard?: string;
  node?: string;
  /** The same for each attempt at one point of one run: whoever has done it for this key has nothing to do. */
  key: string;
  /** At the end: how the operation ended. */
  result?: string;
}

/** What came of one attempt. */
export interface HookEnd {
  result: 'passed' | 'failed';
  found: string;
  tookMs: number;
}

/** `ROLLOUT_POINT` and so on, of a call. */
export const hookEnvironment = (call: HookCall): Record<string, string> =>
  Object.fromEntries(
    Object.entries(call).map(([name, value]) => [`ROLLOUT_${name.toUpperCase()}`, String(value)] as const),
  );

export const hookText = ({ hook, point }: HookCall, { result, found, tookMs }: HookEnd): string =>
  `${hook} ${point}: ${result} after ${formatDuration(tookMs)}: ${found}`;
