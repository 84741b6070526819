import { progressText, type RestoreProgress } from './backup-restore.js';
import { formatDuration, formatMoment, formatSize } from './duration.js';
import type { ComparedKeys } from './follow-state.js';
import { addressOfOperation } from './names.js';
import { restoreText } from './restore.js';
import type { ApprovalRecord, NodeStatus, OperationStatus, ShardStatus, StandbyStatus, Waiting } from './operation.js';

/** The Temporal UI shows 20 kB of details at most, and nobody reads more shards than these. */
const MOST_SHARDS = 20;
const MOST_WAITS = 5;

/**
 * What the Temporal UI shows as current details, in Markdown: phase and reason, progress, what is waited for, and how to
 * go on: by `rollout`, and by a signal for those who have nothing but Temporal.
 */
export function describeStatus(status: OperationStatus): string {
  const { deployment, from, to, via = [], hop, phase, reason, progress, artefacts, statement, endedAt } = status;
  const nodes =
    progress.nodes === 0
      ? ''
      : ` · ${progress.upgraded} of ${progress.nodes} nodes ${status.operation === 'fallback' ? 'back' : hop === undefined ? 'upgraded' : `on ${hop}`}`;
  const paragraphs = [`**${deployment}: ${[...(from === '' ? [] : [from]), ...via, to].join(' → ')}**${nodes}`];
  if (statement === undefined) paragraphs.push(`**${phase}**: ${reason}`);
  else
    paragraphs.push(
      `**${phase}** ${formatMoment(endedAt ?? '')}`,
      statement
        .split('\n')
        .map((line) => `- ${line}`)
        .join('\n'),
    );
  if (status.restoring && statement === undefined) paragraphs.push(describeRestoring(status.restoring));
  paragraphs.push(...describeFallback(status), ...describeAsked(status));
  const waits = together(status.waiting);
  for (const wait of waits.slice(0, MOST_WAITS)) paragraphs.push(...describeWait(wait, status));
  if (waits.length > MOST_WAITS)
    paragraphs.push(`And ${waits.length - MOST_WAITS} more: \`rollout status ${deployment}\``);
  paragraphs.push(...describeShards(status.shards));
  if (artefacts !== '')
    paragraphs.push('Report and evidence, on the worker’s machine:', `\`\`\`\n${artefacts}\n\`\`\``);
  return paragraphs.join('\n\n');
}

/** A restore, and each shard of its backup. */
function describeRestoring(restoring: RestoreProgress): string {
  const { backup, from, shards } = restoring;
  const rows = shards
    .slice(0, MOST_SHARDS)
    .map(({ shard, keys, done }) => `- **${shard}** ${done.toLocaleString('en')} of ${keys.toLocaleString('en')} keys`);
  return [`Backup ${backup} of ${from}: ${progressText(restoring)}`, ...rows].join('\n');
}

/** What it could be taken back with, and how far the standbys are. */
function describeFallback({ fallback, result, deployment }: OperationStatus): string[] {
  if (!fallback || result !== undefined) return [];
  const { class: its, reason, standbys, restore = [] } = fallback;
  const rows = standbys.slice(0, MOST_SHARDS).map((it) => `- **${it.shard}** ${standbyText(it)}`);
  const follows = standbys.some(({ state }) => state === 'frozen');
  const how = follows ? ` Taken back with \`rollout fallback ${deployment} --reason "…"\`.` : '';
  rows.push(...restore.slice(0, MOST_SHARDS).map((said) => `- ${restoreText(said)}`));
  return [`**Fallback**: ${its}, ${reason}.${how}`, ...(rows.length === 0 ? [] : [rows.join('\n')])];
}

/** `10.0.0.7:6390 on 5.0.6 follows, 1.2 kB and 4 ms behind at the last look; every key compared, 2 times` */
export function standbyText(standby: StandbyStatus): string {
  const { address, release, state, lagBytes, lagMs, live, comparison } = standby;
  const word = { syncing: 'is in sync with its primary', frozen: 'follows', serving: 'serves', lost: 'is lost' }[state];
  const behind =
    state !== 'frozen' || lagBytes === undefined || lagMs === undefined
      ? ''
      : `, ${formatSize(lagBytes)} and ${formatDuration(lagMs)} behind ${live === true ? 'now' : 'at the last look'}`;
  const compared = state === 'frozen' && comparison ? `; ${comparedText(comparison)}` : '';
  return `${address} on ${release} ${word}${behind}${compared}`;
}

/** `every key compared 3 times, last at 2026-11-21 11:35:00 UTC; 2 differed, 1 of them still` */
export function comparedText(comparison: ComparedKeys): string {
  const { keys, expectedKeys, passes, lastPass, different, found, waitsFor } = comparison;
  const times = passes === 1 ? 'once' : `${passes} times`;
  const far = lastPass
    ? `every key compared ${times}, last at ${formatMoment(new Date(lastPass.at).toISOString())}`
    : `${keys} of ${Math.max(keys, expectedKeys)} keys compared`;
  const differed =
    found === 0 ? '' : `; ${found} differed, ${different === 0 ? 'and were put right' : `${different} of them still`}`;
  return `${far}${differed}${waitsFor === undefined ? '' : `; not compared now: ${waitsFor}`}`;
}

/** What somebody asked for and the step under way still keeps from happening. */
function describeAsked({ asked, phase, result }: OperationStatus): string[] {
  if (!asked || result !== undefined || phase === 'paused') return [];
  return [`**${asked.what}** asked for by ${asked.by}${asked.reason === '' ? '' : `: ${asked.reason}`}. ${heeded}.`];
}

/** When a pause or an abort happens that was asked for. */
export const heeded = 'Heeded as soon as the step under way has ended and the node in hand is back';

/** One thing that is waited for, whoever waits for it. */
type Wait = Waiting & { shards: string[] };

/** Shards that wait for the same are named in one place: one answer is enough for all of them. */
function together(waiting: readonly Waiting[]): Wait[] {
  const waits = new Map<string, Wait>();
  for (const it of waiting) {
    const key =
      it.kind === 'gate' || it.kind === 'soak' ? `${it.kind} ${it.name} ${it.shard ?? ''}` : `${it.kind} ${it.name}`;
    const wait = waits.get(key) ?? { ...it, shards: [] };
    if (it.shard !== undefined && !wait.shards.includes(it.shard)) wait.shards.push(it.shard);
    waits.set(key, wait);
  }
  return [...waits.values()];
}

function describeWait(wait: Wait, status: OperationStatus): string[] {
  const { approvals } = status;
  const { workflowId } = addressOfOperation(status);
  const { kind, name, shards, reason, since, clears, command } = wait;
  const where = shards.length === 0 ? '' : ` (${shards.join(', ')})`;
  const record = kind === 'approval' ? approvals.findLast((it) => it.approval === name) : undefined;
  const lines = [
    `**Waiting** for ${kind}${kind === 'pause' ? ' to end' : ` **${name}**`}${where} since ${formatMoment(since)}: ${reason}`,
    `Goes on when ${clears}.${answersTo(record)}`,
  ];
  const signal = signalFor(wait);
  if (!signal) return lines;
  const code = (text: string): string => `\`\`\`sh\n${text}\n\`\`\``;
  // Nobody signs by hand.
  if (record?.signed) return [...lines, code(command)];
  const input = JSON.stringify(signal.input).replace(/":"/g, '": "').replace(/","/g, '", "');
  // Broken into lines that the page has room for.
  const temporal = [
    `temporal workflow signal --workflow-id ${workflowId}`,
    `  --name ${signal.name}`,
    `  --input '${input}'`,
  ].join(' \\\n');
  return [
    ...lines,
    code(command),
    `or, in this UI at \`${workflowId}\`, *Send a Signal* \`${signal.name}\` with the input below; or`,
    code(temporal),
  ];
}

function answersTo(record: ApprovalRecord | undefined): string {
  if (!record) return '';
  const { answers, expiresAt } = record;
  const so = answers.length === 0 ? '' : ` So far: ${answers.map(({ by, role }) => `${by} (${role})`).join(', ')}.`;
  return `${so} Asked anew at ${formatMoment(expiresAt)}.`;
}

/** What a person without `rollout` would send; a soak ends by itself. */
function signalFor({ kind, name, shard }: Waiting): { name: string; input: Record<string, string> } | undefined {
  const by = 'you@example.com';
  if (kind === 'approval') return { name: 'approve', input: { by, approval: name } };
  if (kind === 'pause') return { name: 'resume', input: { by } };
  if (kind === 'gate')
    return { name: 'override', input: { by, gate: name, ...(shard === undefined ? {} : { shard }), reason: '…' } };
  return undefined;
}

function describeShards(shards: readonly ShardStatus[]): string[] {
  const begun = shards.filter(({ state, nodes }) => state !== 'waiting' && (state !== 'upgraded' || nodes.length > 0));
  if (begun.length === 0) return [];
  const open = begun.filter(({ state }) => state !== 'upgraded');
  const shown = [...open, ...begun.filter(({ state }) => state === 'upgraded')].slice(0, MOST_SHARDS);
  const rows = shown
    .sort((a, b) => shards.indexOf(a) - shards.indexOf(b))
    .map(({ shard, state, nodes }) => `- **${shard}** ${state}: ${nodes.map(describeNode).join(', ')}`);
  const left = shards.length - shown.length;
  if (left > 0) rows.push(`- and ${left} more ${left === 1 ? 'shard' : 'shards'}`);
  return [rows.join('\n')];
}

const describeNode = ({ address, release, state, step }: NodeStatus): string =>
  `${address} on ${release} ${step ?? state}`;
