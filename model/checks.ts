import { z } from 'zod';
import { name } from './name.js';
import { deadline } from './quantities.js';

/** What a check may be run against: a drill's scratch cluster, the staging copy, the deployment after its upgrade. */
export const checkedThings = ['drill', 'staging', 'validation'] as const;
export type CheckedThing = (typeof checkedThings)[number];

export const ownCommand = z.array(z.string().min(1)).min(1, 'expected a program and its arguments');

const check = z.strictObject({
  name: name.describe('What it is called in records and reports.'),
  command: ownCommand.describe(
    'Program and arguments, run by the worker. What it is to check is in REDIS_URL and REDIS_NODES; exit code 0 is a pass.',
  ),
  timeout: deadline('1m').describe('How long it may take.'),
  of: z
    .array(z.enum(checkedThings))
    .min(1)
    .default([...checkedThings])
    .describe(
      'What it is run against: drill (the restored scratch cluster), staging (the copy), validation (the deployment itself, once every node is upgraded).',
    ),
});

/** `checks` of the deployment file. */
export const checks = z.array(check).default([]);

export type Check = z.output<typeof check>;

/** What came of one. It holds the end of what the command said, without the password that it was given. */
export interface CheckResult {
  check: string;
  result: 'passed' | 'failed';
  tookMs: number;
  found: string;
}

export const checksOf = (all: readonly Check[], thing: CheckedThing): Check[] =>
  all.filter(({ of }) => of.includes(thing));
