import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { WorkflowFailedError } from '@temporalio/client';
import { parse, stringify } from 'yaml';
import type { AssessmentDocument } from '../../model/assessment/document.js';
import { verdictOf } from '../../model/assessment/sections.js';
import { totalsOf, type BackupManifest, type BackupVerdict } from '../../model/backup-manifest.js';
import type { DeploymentFile } from '../../model/deployment.js';
import { formatDuration, formatSize } from '../../model/duration.js';
import type { LoadShape } from '../../model/load-shape.js';
import {
  assessmentWorkflowId,
  backupWorkflowId,
  stagingWorkflowId,
  TASK_QUEUE,
  verifyBackupWorkflowId,
  type WorkflowType,
} from '../../model/names.js';
import type { OperationStatus, TimelineEntry } from '../../model/operation.js';
import type { ReportData } from '../../model/report.js';
import type { StagingRecord } from '../../model/staging.js';
import type { TemporalAccess } from '../../workers/client.js';
import { isServiceError } from '../rollout/temporal.js';
import { Lines } from '../rollout/watch/lines.js';
import type { Question } from './chat.js';
import { assessmentPhase, backupPhases, stagingPhases, upgradePhases, type PhaseSummary } from './phases.js';
import type { Stage } from './stage.js';
import type { Traffic } from './traffic.js';
import { upgrade } from './upgrade.js';

/** For two looks at what is in use. */
const OBSERVED = '10s';
/** Keys of each shard that are looked at. */
const SAMPLE = 1000;
/** Of what the application does: the copy, its benchmarks and everything else share one machine. */
const MOST_LOAD = { ratePerSecond: 200, keys: 1000 };

export interface Full {
  stage: Stage;
  traffic: Traffic;
  from: string;
  to: string;
  /** Press the buttons; without it, say who is asked what. */
  yes: boolean;
  /** Aborted by Ctrl-C. */
  signal: AbortSignal;
  tell: (line: string) => void;
}

/** How far it came; `report` is of production's upgrade, where that began and ended. */
export interface FullOutcome {
  phases: PhaseSummary[];
  report?: string;
}

/** Everything that an upgrade is in earnest: assessed, rehearsed on a copy, signed off in chat, done, validated, finalized. */
export async function full(temporal: TemporalAccess, options: Full): Promise<FullOutcome> {
  const { stage, traffic, from, to, yes, signal, tell } = options;
  // Who fails at the buttons would have the operation wait for ever.
  const [failed, over] = [new AbortController(), new AbortController()];
  const until = AbortSignal.any([signal, failed.signal]);
  const answering = stage.chat
    ?.each((question) => answer(question, options), AbortSignal.any([until, over.signal]))
    .catch((error: unknown) => failed.abort(error));
  if (!stage.chat) throw new Error('there is no chat to ask in');
  tell(`questions come to a channel at ${stage.chat.address}, a server of this machine that speaks Slack’s API`);
  if (!yes) for (const line of howToAnswer(stage)) tell(line);
  const phases: PhaseSummary[] = [];
  try {
    const run = new Steps(temporal, until, tell);
    const document = await assess(run, { to, traffic });
    phases.push(assessmentPhase(document));
    if (document.findings.some(({ severity }) => severity === 'blocker')) return { phases };
    if (document.load) await giveLoad(stage, document.load, tell);

    // On a machine of its own it would go on: here it would be measured together with the copy.
    await traffic.hold();
    phases.push(...(await backUp(run)));
    const rehearsed = await rehearse(run, to);
    phases.push(...rehearsed.phases);
    if (!rehearsed.go) return { phases };

    traffic.release();
    tell(`the application goes on, and production is upgraded to ${to}`);
    const report = await upgrade(temporal, { from, to, yes, signal: until, inChat: true });
    if (report === undefined) return { phases };
    const data = JSON.parse(await readFile(join(dirname(report), 'report.json'), 'utf8')) as ReportData;
    return { phases: [...phases, ...upgradePhases(data)], report };
  } catch (error) {
    if (signal.aborted) return { phases };
    throw error;
  } finally {
    over.abort();
    await answering;
    // What somebody was told at a button is the reason why all else came to its end.
    if (!signal.aborted) failed.signal.throwIfAborted();
  }
}

/** Everybody who is asked presses the button, or the person at the terminal hears who that is. */
async function answer(question: Question, { stage, yes, tell }: Full): Promise<void> {
  const { approval, operation, people } = question;
  if (!yes) {
    for (const by of people)
      tell(`${by} is asked for ${approval}: npx rollout approve ${operation} --approval ${approval} --as ${by}`);
    return;
  }
  for (const by of people) {
    const told = await stage.chat?.press(question, by, 'demo --yes');
    tell(`${by} presses Approve in the channel, and is told: ${told ?? ''}`);
  }
}

const howToAnswer = ({ environment }: Stage): string[] => [
  'nobody presses a button there but you; in another terminal, in this folder:',
  ...Object.entries(environment).map(([name, value]) => `  export ${name}=${value}`),
];

/** Workflows that are started, and waited for until somebody leaves. */
class Steps {
  readonly #left: Promise<never>;

  constructor(
    private readonly temporal: TemporalAccess,
    readonly signal: AbortSignal,
    readonly tell: (line: string) => void,
  ) {
    this.#left = new Promise((_, reject) =>
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }),
    );
    this.#left.catch(() => undefined);
  }

  start(type: WorkflowType, workflowId: string, input: object = {}) {
    this.signal.throwIfAborted();
    return this.temporal.client.workflow.start(type, {
      ...{ workflowId, taskQueue: TASK_QUEUE },
      args: [{ deployment: 'orders', startedBy: 'demo', ...input }],
    });
  }

  async result<Result>(type: WorkflowType, workflowId: string, input: object = {}): Promise<Result> {
    const handle = await this.start(type, workflowId, input);
    return this.orLeft(handle.result() as Promise<Result>);
  }

  /** @throws what it is aborted with, or what the workflow failed with */
  async orLeft<Result>(work: Promise<Result>): Promise<Result> {
    work.catch(() => undefined);
    try {
      return await Promise.race([work, this.#left]);
    } catch (error) {
      throw error instanceof WorkflowFailedError && error.cause ? error.cause : error;
    }
  }
}

async function assess(run: Steps, { to, traffic }: { to: string; traffic: Traffic }): Promise<AssessmentDocument> {
  traffic.start();
  run.tell(`an application writes and reads; what stands in the way? Its use is observed for ${OBSERVED}`);
  const input = { to, over: OBSERVED, sample: SAMPLE };
  const document = await run.result<AssessmentDocument>('assess', assessmentWorkflowId('orders'), input);
  run.tell(verdictOf(document));
  for (const { severity, subject, text } of document.findings) run.tell(`  ${severity} ${subject}: ${text}`);
  return document;
}

async function backUp(run: Steps): Promise<PhaseSummary[]> {
  const manifest = await run.result<BackupManifest>('backup', backupWorkflowId('orders'));
  const { keys, bytes } = totalsOf(manifest);
  run.tell(`a backup: ${keys.toLocaleString('en')} keys of ${manifest.shards.length} shards, ${formatSize(bytes)}`);
  const begun = performance.now();
  const verdict = await run.result<BackupVerdict>('verifyBackup', verifyBackupWorkflowId('orders'));
  const provenMs = performance.now() - begun;
  run.tell(`proven: ${verdict.result}, in ${formatDuration(provenMs)}`);
  return backupPhases(manifest, verdict, provenMs);
}

/** What was observed is what the copy is to be under, in so far as the machine has room for both. */
async function giveLoad({ environment }: Stage, load: LoadShape, tell: Full['tell']): Promise<void> {
  const file = join(environment.ROLLOUT_DEPLOYMENTS, 'orders.yaml');
  const deployment = parse(await readFile(file, 'utf8')) as DeploymentFile;
  const ratePerSecond = Math.min(load.ratePerSecond, MOST_LOAD.ratePerSecond);
  const keys = { ...load.keys, count: Math.min(load.keys.count, MOST_LOAD.keys) };
  await writeFile(
    file,
    stringify({ ...deployment, staging: { ...deployment.staging, load: { ...load, ratePerSecond, keys } } }),
  );
  tell(
    `the copy will be under what was observed: ${load.commands.length} kinds of commands, ${Math.round(load.readShare * 100)} % reads, ${Math.round(ratePerSecond)} of ${Math.round(load.ratePerSecond)} a second`,
  );
}

async function rehearse(run: Steps, to: string): Promise<{ phases: PhaseSummary[]; go: boolean }> {
  const begun = performance.now();
  run.tell(`a rehearsal on a copy: upgraded to ${to}, taken back, upgraded again, measured each time`);
  const handle = await run.start('staging', stagingWorkflowId('orders'), { to });
  const lines = new Lines();
  const look = async (): Promise<OperationStatus> => {
    const status = await handle.query<OperationStatus>('status');
    const timeline = await handle.query<TimelineEntry[]>('timeline');
    // What its copy asks it answers itself.
    const own = status.waiting.filter(
      ({ kind, name }) => kind === 'approval' && status.approvals.some(({ approval }) => approval === name),
    );
    // Questions, and its end, say again what was told before.
    lines.seen({
      status: { ...status, waiting: own.map((it) => ({ ...it, reason: firstLine(it.reason) })) },
      timeline: timeline.map((it) => ({ ...it, text: firstLine(it.text) })),
      retries: [],
    });
    return status;
  };
  const result = handle.result() as Promise<StagingRecord & { result: string; statement: string }>;
  const ended = new AbortController();
  const end = (): void => ended.abort();
  result.then(end, end);
  while (!ended.signal.aborted) {
    await look().catch(async (error: unknown) => {
      // A worker that has much to do answers the next time.
      if (!(await isServiceError(error))) throw error;
    });
    await run.orLeft(sleep(500));
  }
  const { result: how, statement, ...record } = await run.orLeft(result);
  if (how !== 'completed') {
    run.tell(`the rehearsal was ${how}: ${statement}`);
    const durationMs = Math.round(performance.now() - begun);
    return { phases: [{ name: 'staging', verdict: how, durationMs }], go: false };
  }
  const { decision, why } = record;
  run.tell(`the rehearsal ended in ${decision}: ${why}`);
  return { phases: stagingPhases(record, (await look()).approvals), go: decision === 'go' };
}

const firstLine = (text: string): string => text.split('\n')[0] ?? '';
