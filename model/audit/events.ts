import type { OperationStatus, TimelineEntry } from '../operation.js';
import type { ReportData } from '../report.js';
import { canonical, type AuditEvent, type Digest } from './entry.js';

/** What an operation knows of itself: of the root alone, or of its whole family. */
export type AuditSource = Pick<ReportData, 'status' | 'timeline'> & Partial<Pick<ReportData, 'plan' | 'backups'>>;

const kinds: Readonly<Record<TimelineEntry['kind'], AuditEvent['kind']>> = {
  phase: 'phase',
  step: 'act',
  swap: 'act',
  handover: 'act',
  gate: 'gate',
  check: 'check',
  approval: 'approval',
  control: 'control',
  hook: 'hook',
  note: 'note',
  failure: 'failure',
};

/** What goes on is on record once they have ended: a line is written once. */
const goesOn = ({ kind, until }: TimelineEntry, { endedAt }: OperationStatus): boolean =>
  (kinds[kind] === 'act' || kind === 'hook') && until === undefined && endedAt === undefined;

/**
 * What is to be on record of an operation so far, in the order of time: who asked for it, what was done to which node when,
 * what was checked, and who decided what on which evidence.
 *
 * @param run of its root
 */
export function eventsOf(source: AuditSource, run: string, digest: Digest): AuditEvent[] {
  const { status, timeline } = source;
  const { deployment, workflowId: operation, operation: type, from, to, via = [], result, statement = '' } = status;
  const of = { deployment, operation, run };
  const plan = planOf(source, digest);
  const way = [from, ...via, to].filter((release) => release !== '').join(' → ');
  const begun: AuditEvent = {
    ...{ ...of, at: status.startedAt, kind: 'begun', by: status.startedBy },
    text: `${type} of ${deployment}${way === '' ? '' : `: ${way}`}`,
    ...(plan === undefined ? {} : { evidence: { plan } }),
  };
  const events = timeline
    .filter((entry) => !goesOn(entry, status))
    .map((entry): AuditEvent => {
      const { at, until, kind, by, shard, node, text } = entry;
      const evidence = evidenceOf(entry, source, plan);
      return {
        ...{ ...of, at, kind: kinds[kind], text },
        ...(until === undefined ? {} : { until }),
        ...(by === undefined ? {} : { by }),
        ...(shard === undefined ? {} : { shard }),
        ...(node === undefined ? {} : { node }),
        ...(evidence === undefined ? {} : { evidence }),
      };
    });
  const ended: AuditEvent[] =
    status.endedAt === undefined || result === undefined
      ? []
      : [{ ...of, at: status.endedAt, kind: 'ended', text: `${result}: ${statement}` }];
  return [begun, ...events.sort((a, b) => a.at.localeCompare(b.at)), ...ended];
}

/** Of the plan that people were shown: `rollout plan --json` of the same is told from another by it. */
const planOf = ({ plan }: AuditSource, digest: Digest): string | undefined =>
  plan ? `sha256:${digest(canonical(plan))}` : undefined;

/** What somebody who approved could see by then: the answer itself, the plan, the backups, and what was overridden. */
function evidenceOf(
  { kind, by, at, text }: TimelineEntry,
  { status, timeline, backups = [] }: AuditSource,
  plan: string | undefined,
): Record<string, unknown> | undefined {
  if (kind !== 'approval' || by === undefined) return undefined;
  const answered = status.approvals
    .filter(({ approval }) => text.startsWith(`${approval} `))
    .flatMap(({ approval, question, answers }) => answers.map((answer) => ({ approval, question, ...answer })))
    .find((answer) => answer.by === by && answer.at === at);
  return {
    ...(answered ? { answer: answered } : {}),
    ...(plan === undefined ? {} : { plan }),
    backups: backups.filter((it) => it.at <= at).map(({ shard, sha256, at: taken }) => ({ shard, sha256, at: taken })),
    overridden: timeline
      .filter((it) => it.kind === 'control' && it.at <= at && / overrides /.test(it.text))
      .map((it) => it.text),
  };
}
