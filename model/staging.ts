import { z } from 'zod';
import { formatDuration } from './duration.js';

const count = z.number().int().min(0);
const instant = z.iso.datetime();

/** What was tried, in the order in which it was. `undecided`: it was measured, and can't be judged. */
const step = z.strictObject({
  name: z.string(),
  result: z.enum(['passed', 'failed', 'undecided', 'skipped']),
  tookMs: count,
  /** What was found, for people: a number where there is one. */
  found: z.string(),
});

const compared = z.strictObject({
  measure: z.string(),
  before: z.number().optional(),
  after: z.number().optional(),
  change: z.number().optional(),
  from: z.number().optional(),
  to: z.number().optional(),
  spread: z.number().optional(),
  target: z.number().optional(),
  verdict: z.enum(['met', 'missed', 'noise', 'measured']),
  says: z.string(),
});

/** What came of a rehearsal, kept beside the backups. It holds no key and no value. */
export const stagingRecord = z.strictObject({
  format: z.literal(1),
  staging: z.string(),
  deployment: z.string(),
  startedBy: z.string(),
  startedAt: instant,
  endedAt: instant,
  backup: z.string(),
  /** When that was taken. */
  takenAt: instant,
  from: z.string(),
  to: z.string(),
  via: z.array(z.string()),
  shards: count,
  keys: count,
  /** Of the backup, where it was not all of it. */
  slots: z.array(z.string()).optional(),
  steps: z.array(step),
  benchmarks: z.array(compared),
  /** By the question; who answered what, and when. */
  approvals: z.array(
    z.strictObject({
      approval: z.string(),
      state: z.string(),
      answers: z.array(z.strictObject({ by: z.string(), role: z.string(), decision: z.string(), at: instant })),
    }),
  ),
  /** Reports of the upgrade and the fallback that were rehearsed, on the worker's machine. */
  reports: z.array(z.string()),
  decision: z.enum(['go', 'no-go']),
  /** In one sentence. */
  why: z.string(),
});

export type StagingStep = z.output<typeof step>;
export type StagingRecord = z.output<typeof stagingRecord>;

const STAGING = 'staging';
export const stagingObject = (deployment: string, staging: string): string =>
  `${deployment}/${STAGING}/${staging}.json`;
export const stagingPrefix = (deployment: string): string => `${deployment}/${STAGING}/`;

/** What speaks against going on: every step that failed; undefined where none did, and something was tried. */
export function againstIt(steps: readonly StagingStep[]): string | undefined {
  const failed = steps.filter(({ result }) => result === 'failed');
  if (failed.length > 0) return failed.map(({ name, found }) => `${name}: ${found}`).join('; ');
  return steps.some(({ result }) => result === 'passed') ? undefined : 'nothing was tried';
}

/** What an upgrade that asks for a rehearsal goes ahead on, or why it may not. */
export type SignOff = { go: string } | { lacks: string };

/**
 * May an upgrade begin that asks for a rehearsal? The newest one of the same two releases decides, for as long as it is valid; one
 * that goes on from a stop on its way was rehearsed with the whole.
 *
 * @param records the newest first
 * @param upgrade.validForMs since the rehearsal ended
 * @param upgrade.now Unix ms
 */
export function signOffOf(
  records: readonly StagingRecord[],
  {
    deployment,
    from,
    to,
    validForMs,
    now,
  }: { deployment: string; from: string; to: string; validForMs: number; now: number },
): SignOff {
  const of = records.find((it) => [it.from, ...it.via].includes(from) && it.to === to);
  const next = `rollout staging start ${deployment} --to ${to}`;
  const required = 'policy.staging is required, and';
  if (!of) return { lacks: `${required} no rehearsal of ${from} → ${to} is on record: ${next}` };
  const newest = `the newest rehearsal of ${from} → ${to}, of ${of.startedAt},`;
  if (of.decision !== 'go')
    return { lacks: `${required} ${newest} ended in no-go: ${of.why}. Once that is mended: ${next}` };
  if (Date.parse(of.endedAt) + validForMs < now)
    return {
      lacks: `${required} ${newest} counts for ${formatDuration(validForMs)} (staging.validFor) from ${of.endedAt} on: ${next}`,
    };
  const signed = of.approvals.flatMap(({ approval, answers }) =>
    answers.map(({ by, role }) => `${approval} by ${by} (${role})`),
  );
  const sample = of.slots === undefined ? '' : `, of slots ${of.slots.join(', ')} only`;
  const by = signed.length === 0 ? '' : `; ${signed.join(', ')}`;
  return { go: `rehearsal ${of.staging}, of ${of.startedAt}: go${sample}${by}` };
}

/** A line a step, as the statement of a rehearsal tells it. */
export const stepText = ({ name, result, tookMs, found }: StagingStep): string =>
  `${name}: ${result}${tookMs > 0 ? ` (${formatDuration(tookMs)})` : ''}${found === '' ? '' : `, ${found}`}`;

/** What people read before they sign it off. */
export function stagingStatement(record: Omit<StagingRecord, 'decision' | 'why'>): string[] {
  const { deployment, from, to, via, backup, shards, keys, slots, steps, benchmarks } = record;
  const judged = benchmarks.filter(({ target }) => target !== undefined);
  const others = benchmarks.length - judged.length;
  return [
    `${deployment}: ${[from, ...via, to].join(' → ')} rehearsed on a copy of backup ${backup}: ${keys.toLocaleString('en')} keys of ${shards} shards${slots === undefined ? '' : ` (slots ${slots.join(', ')})`}.`,
    ...steps.map(stepText),
    ...judged.map(({ says }) => says),
    ...(others > 0 ? [`${others} measures more have no target: rollout staging show ${deployment}`] : []),
  ];
}
