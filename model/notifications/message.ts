import { approverNames, type SignOffs } from './approvers.js';
import { consequences } from './consequences.js';
import { formatMoment } from '../duration.js';
import { addressOfOperation } from '../names.js';
import type { Policy } from '../policy.js';
import type { OperationStatus } from '../operation.js';
import { formatVerdict } from '../verdict.js';
import { isOpen, type Notification } from './events.js';

/** What every channel shows in its own way. Plain text: whoever renders it escapes it. */
export interface Message {
  /** `orders: handover: an answer is needed` */
  title: string;
  text: string;
  /** What one needs to decide, or to look further: `Fallback`, `lossless: …`. */
  facts: { label: string; text: string }[];
  /** What becomes of a yes and of a no, of an open question. */
  consequences?: { yes: string; no: string };
  /** Where to look. */
  links: { label: string; url: string }[];
  /** What to type. */
  commands: string[];
}

export interface MessageContext {
  status: OperationStatus;
  policy: Pick<Policy, 'roles' | 'approvals' | 'people'>;
  /** Who signs a rehearsal off. */
  signOffs?: SignOffs;
  /** Of the operation's page in the Temporal UI. */
  temporalUrl?: string | undefined;
}

/** Says one thing so that whoever reads it on a telephone can decide, or knows where to look. */
export function messageOf(event: Notification, context: MessageContext): Message {
  const { status, temporalUrl } = context;
  const base = {
    title: `${status.deployment}: ${event.title}`,
    text: event.text,
    links: temporalUrl === undefined ? [] : [{ label: 'Temporal', url: temporalUrl }],
  };
  if (isOpen(event) && event.question) return { ...base, ...ofQuestion(event.question, context) };
  if (event.kind === 'ended' || event.kind === 'started')
    return { ...base, facts: stand(status), commands: [reportCommand(status)] };
  if (event.kind === 'blocked' && event.alert?.over === false)
    return {
      ...base,
      facts: stand(status),
      commands: status.waiting.filter(({ kind }) => kind === 'gate' || kind === 'worker').map(({ command }) => command),
    };
  return { ...base, facts: [], commands: [] };
}

function ofQuestion(
  record: NonNullable<Notification['question']>,
  { status, policy, signOffs }: MessageContext,
): Pick<Message, 'facts' | 'consequences' | 'commands'> {
  const { approval, quorum, roles, answers, expiresAt, signed } = record;
  const may = approverNames(record, policy, status, signOffs);
  const so = answers.length === 0 ? 'nobody yet' : answers.map(({ by, role }) => `${by} (${role})`).join(', ');
  const { name } = addressOfOperation(status);
  const command = `${name} --approval ${approval}${signed ? ' --key file:PATH' : ''}`;
  return {
    facts: [
      ...stand(status),
      { label: 'Who decides', text: `${quorum} of ${roles.join(' or ')}: ${may.join(', ') || 'nobody'}; so far ${so}` },
      { label: 'Until', text: `${formatMoment(expiresAt)}; then it is asked anew, and what was answered is void` },
    ],
    consequences: consequences(record, status),
    commands: [`rollout approve ${command}`, `rollout reject ${command}`, `rollout status ${name}`],
  };
}

const reportCommand = ({ operation, deployment }: OperationStatus): string =>
  operation === 'staging' ? `rollout staging show ${deployment}` : `rollout report ${deployment}`;

/** How the operation stands: the evidence that a decision rests on. */
function stand(status: OperationStatus): Message['facts'] {
  const { from, to, via = [], progress, shards, fallback, gates, startedBy, startedAt, artefacts } = status;
  const facts: Message['facts'] = [];
  const way = [from, ...via, to].filter((it) => it !== '').join(' → ');
  const shardsDone = shards.filter(({ state }) => state === 'upgraded').length;
  const nodes =
    progress.nodes === 0
      ? ''
      : `; ${progress.upgraded} of ${progress.nodes} nodes and ${shardsDone} of ${shards.length} shards done`;
  if (way !== '')
    facts.push({ label: 'Upgrade', text: `${way}${nodes}; started by ${startedBy} at ${formatMoment(startedAt)}` });
  if (gates.length > 0) facts.push({ label: 'Gates', text: gatesText(gates) });
  if (fallback) facts.push({ label: 'Going back', text: `${fallback.class}: ${fallback.reason}` });
  if (artefacts !== '') facts.push({ label: 'Evidence', text: `${artefacts} on the worker’s machine` });
  return facts;
}

/** The last word of each gate at each shard, and what was overridden. */
function gatesText(gates: OperationStatus['gates']): string {
  const last = [...new Map(gates.map((it) => [`${it.gate} ${it.shard ?? ''}`, it])).values()];
  const passing = last.filter(({ verdict }) => verdict.state === 'pass').length;
  const others = last
    .filter(({ verdict, overriddenBy }) => verdict.state !== 'pass' && !overriddenBy)
    .map(({ gate, shard, verdict }) => `${gate}${shard === undefined ? '' : ` (${shard})`} ${formatVerdict(verdict)}`);
  const overridden = gates.flatMap(({ gate, overriddenBy }) =>
    overriddenBy ? [`${gate} overridden by ${overriddenBy.by}: ${overriddenBy.reason}`] : [],
  );
  return [`${passing} of ${last.length} pass`, ...others, ...overridden].join('; ');
}
