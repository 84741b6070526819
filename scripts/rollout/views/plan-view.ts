import { formatDuration, formatSize } from '../../../model/duration.js';
import {
  blockersOf,
  hopsOf,
  type Plan,
  type PlanStep,
  type PlanWarning,
  type ShardPlan,
  type WindowOutlook,
} from '../../../model/plan.js';
import { formatInstant } from '../../../model/windows.js';
import { wrap, type Paint } from '../terminal.js';
import { columns } from './columns.js';

/**
 * The plan as text: what would be done, in which order, and what speaks against it. Of a plan that is blocked the steps
 * are left out, since nobody will see them happen; the blockers are said by whoever refuses.
 */
export function planView(plan: Plan, { paint, width }: { paint: Paint; width: number }): string[] {
  const hops = hopsOf(plan);
  const way = hops.length > 1 ? hops.map(({ to }) => to).join(' → ') : plan.to;
  const via = plan.hops.length === 0 ? '' : ` by way of ${plan.hops.join(', ')}`;
  const shards = `${plan.shards.length} ${plan.shards.length === 1 ? 'shard' : 'shards'}`;
  const blocked = blockersOf(plan).length > 0;
  return [
    `${paint('bold', plan.deployment)}: ${plan.from} → ${way}${via}, ${plan.nodes} nodes in ${shards}, ${plan.parallelShards} at a time`,
    ...(blocked ? [paint('red', 'Blocked: no step of it would be carried out.')] : stepsView(hops, paint, width)),
    '',
    'Gates as they stand',
    ...columns(
      plan.gates.map(({ gate, verdict }) => [
        gate,
        paint(verdict.state === 'pass' ? 'green' : verdict.state === 'wait' ? 'yellow' : 'red', verdict.state),
        verdict.state === 'pass' ? (verdict.reason ?? '') : `${verdict.reason}; clears when ${verdict.clears}`,
      ]),
      { width, indent: 2 },
    ),
    // What every hop says alike is said once.
    ...[...new Map(hops.flatMap(({ warnings }) => warnings).map((it) => [JSON.stringify(it), it])).values()]
      .filter(({ severity }) => severity !== 'blocker')
      .flatMap((warning) => warningView(warning, paint, width)),
  ];
}

function stepsView(hops: readonly Plan[], paint: Paint, width: number): string[] {
  const expectedMs = hops.reduce((sum, hop) => sum + hop.expectedMs, 0);
  const approvals = hops.flatMap((hop) => hop.approvals);
  return [
    `Expected: ${formatDuration(expectedMs)} with soaks, without the time that people take. Nothing was touched.`,
    ...windowView(hops[0]?.window, width),
    ...hops.flatMap(({ fallback }) =>
      fallback ? wrap(`Fallback: ${fallback.class}: ${fallback.reason}.`, width, '  ') : [],
    ),
    ...hops.flatMap((hop, i) => [
      ...(hops.length === 1
        ? []
        : [
            '',
            paint('bold', `Hop ${i + 1} of ${hops.length}: ${hop.from} → ${hop.to}, backed up before, soaked after`),
          ]),
      ...hop.shards.flatMap((shard) => shardView(shard, paint, width)),
    ]),
    ...(approvals.length === 0 ? [] : ['', 'Approvals']),
    ...approvals.map(({ approval, roles, quorum }) => `  ${approval}: ${quorum} of ${roles.join(' or ')}`),
  ];
}

function windowView(window: WindowOutlook | undefined, width: number): string[] {
  if (!window) return [];
  const { opens, closes, timezone, isOpen, neededMs, fits, frozen = [] } = window;
  const shown = (at: string): string => formatInstant(Date.parse(at), timezone);
  const until = closes === undefined ? 'with no end' : `until ${shown(closes)}`;
  const rest = fits ? 'it fits' : 'it does not fit: what is left goes on in the windows after it';
  const lines = [
    `Maintenance window: ${isOpen ? 'open' : shown(opens)} ${until}. From the first node to the last ${formatDuration(neededMs)}, without people: ${rest}.`,
    ...frozen.map(({ from, until, reason }) => `Frozen from ${shown(from)} until ${shown(until)}: ${reason}.`),
  ];
  return lines.flatMap((line) => wrap(line, width, '  '));
}

function shardView({ shard, slots, primary, replicas, keys, bytes, steps }: ShardPlan, paint: Paint, width: number) {
  const copies = 1 + replicas.length;
  return [
    '',
    ...wrap(
      `${paint('bold', shard)}  slots ${slots}, primary ${primary}, ${copies} copies, ${keys} keys, ${formatSize(bytes)}`,
      width,
      '  ',
    ),
    ...columns(
      [
        ['', 'STEP', 'NODE', 'RELEASE', 'COPIES', 'TAKES', 'WAITS FOR'].map((title) => paint('dim', title)),
        ...steps.map((step, i) => stepRow(step, i, copies)),
      ],
      { width, indent: 2 },
    ),
  ];
}

function stepRow({ kind, node, from, to, copiesDuring, expectedMs, waitsFor }: PlanStep, i: number, copies: number) {
  return [
    String(i + 1),
    kind,
    node ?? '',
    from === undefined || to === undefined ? '' : `${from} → ${to}`,
    copiesDuring === copies ? String(copies) : `${copies} → ${copiesDuring}`,
    expectedMs === 0 ? '' : formatDuration(expectedMs),
    waitsFor.join('; '),
  ];
}

function warningView(warning: PlanWarning, paint: Paint, width: number): string[] {
  const { severity, next } = warning;
  const [first = '', ...rest] = wrap(`${severity}: ${warningText(warning)}`, width, '  ');
  return [
    '',
    paint(severity === 'note' ? 'dim' : 'yellow', first.slice(0, severity.length)) + first.slice(severity.length),
    ...rest,
    ...(next === undefined ? [] : next.split('\n').flatMap((line) => wrap(`  ${line}`, width, '  '))),
  ];
}

/** With what it is about, unless it says so itself. */
export const warningText = ({ subject, text }: PlanWarning): string =>
  text.includes(subject) ? text : `${subject}: ${text}`;
