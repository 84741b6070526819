import { z } from 'zod';
import { parseRelease } from '../release.js';

const pattern = z.string().refine(isPattern, 'expected a regular expression');
const names = z.array(z.string().regex(/^[a-z0-9|._-]+$/, 'expected names in lower case')).min(1);

/**
 * What of a deployment makes an entry concern it: an entry that nothing of it concerns is never shown. Each is looked at by
 * model/assessment/concerned.ts.
 */
const concern = z.union([
  /** Any of these commands was called. */
  z.strictObject({ commands: names }),
  /** A directive that runs with a value like this; without one, with another than the release's default. */
  z.strictObject({ directive: z.string(), like: pattern.optional() }),
  /** A script that was given, or a function, has text like this. */
  z.strictObject({ script: pattern }),
  /** A user has a rule like this. */
  z.strictObject({ rule: pattern }),
  /** There are users beside the default one. */
  z.strictObject({ users: z.literal(true) }),
  /** One of these modules is loaded. */
  z.strictObject({ modules: z.array(z.string()).min(1) }),
  /** A client of this library is connected, of a version before this one where it is said. */
  z.strictObject({ library: z.string(), before: z.string().optional() }),
  /** A client is called like this. */
  z.strictObject({ client: pattern }),
]);

export const severities = ['blocker', 'action', 'note'] as const;
export type Severity = (typeof severities)[number];

const knowledgeEntry = z.strictObject({
  id: z.string().regex(/^[a-z0-9-]+$/),
  severity: z.enum(severities),
  /** What is otherwise from this release on, as one or two sentences. */
  what: z.string().min(1),
  /** What to do, as one or two sentences. */
  next: z.string().min(1),
  /** It concerns whom any of these is true of. */
  concerns: z.array(concern).min(1),
  /** Whom all of them are true of. */
  every: z.literal(true).optional(),
  /** Only who comes from an older release than this one: a patch of an older line, 6.2.7, had it already. */
  below: z
    .string()
    .refine((text) => parseRelease(text) !== undefined, 'expected a release')
    .optional(),
  source: z.url(),
});

const release = z.string().refine((text) => parseRelease(text) !== undefined, 'expected a release line, 7.0');

/** `steps/7.0.json`: what whoever comes from an older line has to know of this one. */
export const knowledgeStep = z.strictObject({
  line: release,
  /** What concerns everybody who goes there; shown beside the findings, and never one of them. */
  about: z.array(z.strictObject({ text: z.string().min(1), source: z.url() })),
  entries: z.array(knowledgeEntry),
});

export type Concern = z.output<typeof concern>;
export type KnowledgeEntry = z.output<typeof knowledgeEntry>;
export type KnowledgeStep = z.output<typeof knowledgeStep>;

function isPattern(text: string): boolean {
  try {
    return new RegExp(text).source !== '';
  } catch {
    return false;
  }
}
