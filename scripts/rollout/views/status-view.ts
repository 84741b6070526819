import { progressText } from '../../../model/backup-restore.js';
import { heeded, standbyText } from '../../../model/describe-status.js';
import { formatDuration } from '../../../model/duration.js';
import type { GateRecord, NodeStatus, OperationStatus, ShardStatus } from '../../../model/operation.js';
import { phaseText } from '../../../model/phases.js';
import type { Retry } from '../../../workers/read-retries.js';
import { wrap, type Paint } from '../terminal.js';
import { columns } from './columns.js';
import { retryText } from './retry-text.js';

export interface ViewOptions {
  paint: Paint;
  /** Columns of the terminal. */
  width: number;
  /** Unix ms; ages are counted up to it. */
  now: number;
  /** At most so many shards; those that something happens to come first. All by default. */
  shards?: number;
  /** What is tried again at the moment. */
  retries?: readonly Retry[];
}

/** One screen: where it stands and why, what it waits for and the command that goes on, what fails, shards and nodes, gates. */
export function statusView(status: OperationStatus, options: ViewOptions): string[] {
  return [
    ...header(status, options),
    ...fallbackView(status, options),
    ...askedView(status, options),
    ...waitingView(status, options),
    ...retriesView(options),
    ...shardsView(status, options),
    ...gatesView(status, options),
    ...approvalsView(status, options),
    ...phasesView(status, options),
    ...(status.statement === undefined
      ? []
      : ['', ...status.statement.split('\n').flatMap((line) => wrap(line, options.width))]),
  ];
}

function header(status: OperationStatus, { paint, width, now }: ViewOptions): string[] {
  const { upgraded, nodes } = status.progress;
  const took = age(status.startedAt, status.endedAt === undefined ? now : Date.parse(status.endedAt));
  const size = Math.max(6, Math.min(24, width - 40));
  const { restoring } = status;
  const [part, whole] = restoring ? [restoring.done, restoring.keys] : [upgraded, nodes];
  const done = whole === 0 ? 0 : Math.round((Math.min(part, whole) / whole) * size);
  const bar = `[${'='.repeat(done)}${' '.repeat(size - done)}]`;
  return [
    `${paint('bold', status.deployment)}: ${words(status.operation)} ${[status.from, ...(status.via ?? []), status.to].join(' → ')}`,
    ...wrap(headline(status), width, '  ').map((line, i) => (i === 0 ? phasePaint(status, paint, line) : line)),
    ...(restoring
      ? wrap(`${bar} ${progressText(restoring)}, ${took} so far`, width, '  ')
      : [`${bar} ${upgraded} of ${nodes} nodes${status.hop === undefined ? '' : ` on ${status.hop}`}, ${took}`]),
    paint('dim', `started ${clock(status.startedAt)} by ${status.startedBy}`),
  ];
}

/** In one paragraph: `assessment done after 1 s; start approval skipped: …`. */
function phasesView({ phases = [], endedAt }: OperationStatus, { width, now, paint }: ViewOptions): string[] {
  if (phases.length === 0) return [];
  const until = endedAt === undefined ? now : Date.parse(endedAt);
  const said = phases.map((phase) => phaseText(phase, until)).join('; ');
  return ['', ...wrap(`Phases: ${said}`, width, '  ').map((line) => paint('dim', line))];
}

/** A stopped operation's reason is its whole statement: the first line is enough above what follows below. */
const headline = ({ phase, reason }: OperationStatus): string => `${phase}: ${reason.split('\n')[0] ?? ''}`;

function phasePaint({ phase, result }: OperationStatus, paint: Paint, line: string): string {
  const name = line.slice(0, phase.length);
  const rest = line.slice(phase.length);
  if (result === 'completed' || phase === 'completed') return paint('green', name) + rest;
  if (phase === 'stopped' || phase === 'aborted') return paint('red', name) + rest;
  return paint(phase === 'paused' || phase === 'awaiting approval' ? 'yellow' : 'cyan', name) + rest;
}

function askedView({ asked, phase, result }: OperationStatus, { paint, width }: ViewOptions): string[] {
  if (!asked || result !== undefined || phase === 'paused') return [];
  const text = `${asked.what} asked for by ${asked.by}${asked.reason === '' ? '' : `: ${asked.reason}`}`;
  return ['', ...wrap(text, width, '  ').map((line) => paint('yellow', line)), ...wrap(`  ${heeded}.`, width, '    ')];
}

/** What it could be taken back with: nothing to say where nothing is kept for it. */
function fallbackView({ fallback, result }: OperationStatus, { paint, width }: ViewOptions): string[] {
  if (!fallback || (result !== undefined && fallback.standbys.length === 0)) return [];
  const { class: its, reason, standbys } = fallback;
  const [first = '', ...rest] = wrap(`fallback ${its}: ${reason}`, width, '  ');
  const colour = its === 'lossless' ? 'green' : its === 'lossless-except' ? 'yellow' : 'red';
  return [
    paint(colour, first),
    ...rest,
    ...standbys.flatMap((it) => wrap(`  standby of ${it.shard}: ${standbyText(it)}`, width, '    ')),
  ];
}

function waitingView({ waiting }: OperationStatus, { paint, width, now }: ViewOptions): string[] {
  return waiting.flatMap(({ kind, name, reason, since, clears, command, shard }) => [
    '',
    ...wrap(
      `Waits for ${kind} ${name}${shard === undefined ? '' : ` (${shard})`}, ${age(since, now)} so far: ${reason}`,
      width,
      '  ',
    ).map((line) => paint('yellow', line)),
    ...wrap(`  until ${clears}`, width, '    '),
    ...(command === '' ? [] : [`  ${paint('bold', command)}`]),
  ]);
}

/** On one screen; whoever wants all of them asks for JSON. */
const MOST_RETRIES = 5;

/** Nothing waits for a person, and yet nothing goes on: a node that doesn't answer shows here, and nowhere else. */
function retriesView({ retries = [], paint, width, now }: ViewOptions): string[] {
  const left = retries.length - MOST_RETRIES;
  return retries.length === 0
    ? []
    : [
        '',
        ...retries
          .slice(0, MOST_RETRIES)
          .flatMap((retry) => wrap(`Tries again: ${retryText(retry, `for ${age(retry.since, now)}`)}`, width, '  '))
          .map((line) => paint('yellow', line)),
        ...(left > 0 ? [paint('dim', `and ${left} more`)] : []),
      ];
}

const nodeWord: Record<NodeStatus['state'], string> = {
  waiting: '',
  'in progress': 'in progress',
  upgraded: 'upgraded',
  reverted: 'went back',
  failed: 'failed',
};

function shardsView({ shards }: OperationStatus, { paint, width, shards: most = Infinity }: ViewOptions): string[] {
  if (shards.length === 0) return [];
  const chosen = shards.length <= most ? shards : [...shards].sort((a, b) => rank(a) - rank(b)).slice(0, most);
  const rows = chosen.flatMap(({ shard, phase, state, nodes }) =>
    nodes.map((node, i) => [
      i === 0 ? shard : '',
      node.address,
      node.role,
      node.release,
      nodePaint(node, paint),
      i === 0 && phase !== 'waiting' ? (state === 'upgraded' ? '' : phase) : '',
    ]),
  );
  const rest = shards.length - chosen.length;
  return [
    '',
    ...columns([['SHARD', 'NODE', 'ROLE', 'RELEASE', 'STATE', 'PHASE'].map((title) => paint('dim', title)), ...rows], {
      width,
    }),
    ...(rest === 0 ? [] : [paint('dim', `and ${rest} more: ${counted(shards)}`)]),
  ];
}

function nodePaint({ state, step }: NodeStatus, paint: Paint): string {
  const text = state === 'in progress' && step !== undefined ? step : nodeWord[state];
  if (state === 'upgraded') return paint('green', text);
  if (state === 'failed' || state === 'reverted') return paint('red', text);
  return paint('cyan', text);
}

const rank = ({ state }: ShardStatus): number => ['stopped', 'in progress', 'waiting', 'upgraded'].indexOf(state);

function counted(shards: readonly ShardStatus[]): string {
  return ['stopped', 'in progress', 'waiting', 'upgraded']
    .map((state) => [state, shards.filter((shard) => shard.state === state).length] as const)
    .filter(([, count]) => count > 0)
    .map(([state, count]) => `${count} ${state}`)
    .join(', ');
}

function gatesView({ gates }: OperationStatus, { paint, width, now }: ViewOptions): string[] {
  const open = gates.filter(({ verdict, overriddenBy }) => verdict.state !== 'pass' && overriddenBy === undefined);
  const overridden = gates.filter(({ overriddenBy }) => overriddenBy !== undefined);
  if (open.length + overridden.length === 0) return [];
  return [
    '',
    ...open.flatMap((gate) =>
      wrap(`gate ${gate.gate} ${gate.before}: ${gateWords(gate)} (for ${age(gate.since, now)})`, width, '  ').map(
        (line) => paint(gate.verdict.state === 'fail' ? 'red' : 'yellow', line),
      ),
    ),
    ...overridden.flatMap(({ gate, before, overriddenBy }) =>
      wrap(
        `gate ${gate} ${before}: overridden by ${overriddenBy?.by ?? ''}: ${overriddenBy?.reason ?? ''}`,
        width,
        '  ',
      ),
    ),
  ];
}

function gateWords({ verdict }: GateRecord): string {
  return verdict.state === 'pass' ? 'passes' : `${verdict.state}s: ${verdict.reason}; clears when ${verdict.clears}`;
}

function approvalsView({ approvals }: OperationStatus, { width }: ViewOptions): string[] {
  if (approvals.length === 0) return [];
  return [
    '',
    ...approvals.flatMap(({ approval, state, roles, quorum, answers, expiresAt }) => {
      const given = answers.map(
        ({ by, role, decision, comment, signed }) =>
          `${decision === 'approve' ? 'approved' : 'rejected'} by ${by} (${role}${signed ? ', signed' : ''})${comment === undefined ? '' : ` “${comment}”`}`,
      );
      const wanted =
        state === 'open'
          ? [`open until ${clock(expiresAt)}: ${quorum} of ${roles.join(' or ')}`]
          : given.length === 0
            ? [state]
            : [];
      return wrap(`approval ${approval}: ${[...wanted, ...given].join(', ')}`, width, '  ');
    }),
  ];
}

/** `rollingUpgrade` as a person would say it. */
export const words = (operation: string): string => operation.replace(/([A-Z])/g, ' $1').toLowerCase();

export const age = (since: string, now: number): string => formatDuration(Math.max(0, now - Date.parse(since)));

/** `2026-11-21 10:24:48 UTC`: the report and Temporal's UI count in UTC too. */
export const clock = (instant: string): string => `${instant.slice(0, 19).replace('T', ' ')} UTC`;
