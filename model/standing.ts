import { progressText } from './backup-restore.js';
import { targetOptions } from './compatibility/upgrade-path.js';
import { fallbackCommand, fallbackStanding, NOT_TOUCHED, notTakenBack, standbysLeft } from './fallback-standing.js';
import type { OperationStatus } from './operation.js';

/** What was read of the cluster. */
export interface Running {
  /** By address, as the nodes' own servers told them. */
  releases: ReadonlyMap<string, string>;
  /** Members that didn't answer. Who is neither here nor there is no member any more. */
  away: readonly string[];
}

/**
 * Where everything stands at the end and what to do now: true of what was seen, node by node.
 *
 * @param running what was read at the end; without it, what was told on the way counts
 */
export function standingOf(status: OperationStatus, reason: string, untouched: boolean, running?: Running): string {
  const { deployment, to, via = [], hop = to, result, progress, shards } = status;
  // The statement of the fallback itself.
  if (result === 'fell back') return reason;
  if (status.operation === 'fallback') return fallbackStanding(status, reason, untouched, running);
  if (status.operation === 'restore') return restoreStanding(status, reason, untouched);
  if (status.operation === 'staging') return stagingStanding(status, reason);
  if (result === 'completed')
    return [`${deployment} runs ${to} on all ${progress.nodes} nodes.`, ...standbysLeft(status)].join('\n');
  if (untouched) return `${reason.startsWith(deployment) ? reason : `${deployment}: ${reason}`}\n${NOT_TOUCHED}`;
  const halfway = notTakenBack(status, reason, running);
  if (halfway !== undefined) return halfway;
  const lines = [
    `${deployment} was ${result === 'aborted' ? 'aborted' : 'stopped'}: ${reason.replace(/\.$/, '')}.`,
    `${[...via, to].map((release) => countOf(status, release, running)).join(', ')}.`,
  ];
  for (const shard of shards) {
    const odd = shard.nodes.filter(
      (node) => node.state === 'failed' || node.state === 'in progress' || node.state === 'reverted',
    );
    for (const node of odd) {
      const release = running?.releases.get(node.address) ?? node.release;
      const away = node.state === 'reverted' ? '' : ` ${ifAway(release, hop)}`;
      lines.push(`${shard.shard}: ${node.address} is ${node.state} (${release}).${away}`);
    }
    for (const node of shard.nodes)
      if (running && !running.releases.has(node.address) && !odd.includes(node))
        lines.push(
          running.away.includes(node.address)
            ? `${shard.shard}: ${node.address} does not answer (it ran ${node.release}). ${ifAway(node.release, hop)}`
            : `${shard.shard}: ${node.address} is no member of the cluster any more (it ran ${node.release}): somebody had it forgotten or reset it. Let it join again (CLUSTER MEET, CLUSTER REPLICATE), or start without it, not named in seeds either.`,
        );
  }
  if (progress.upgraded > 0 && progress.upgraded < progress.nodes)
    lines.push('Both versions run side by side meanwhile; replicas of the new version follow primaries of either.');
  lines.push(...standbysLeft(status));
  // Whoever asked for the way back is told first what became of that; the way on is another's choice.
  const on = status.goingBack?.refused ? 'Or, to go on with the upgrade' : 'To go on where it stands';
  lines.push(
    isAllUpgraded(status, running)
      ? `${NOTHING_LEFT} What was left out is the rest of validation and soak.`
      : `${on}: ${startCommand(status)}`,
  );
  return lines.join('\n');
}

/** Of the restore of a backup. */
function restoreStanding(
  { deployment, result, restoring }: OperationStatus,
  reason: string,
  untouched: boolean,
): string {
  if (result === 'completed') return reason;
  if (untouched) return `${reason}\nNothing was written to ${deployment}.`;
  return [
    `The restore into ${deployment} was ${result === 'aborted' ? 'aborted' : 'stopped'}: ${reason.replace(/\.$/, '')}.`,
    ...(restoring ? [`It was ${progressText(restoring)}.`] : []),
    'What was written stays, each key whole. Started again, it writes all of it again.',
  ].join('\n');
}

/** Of a rehearsal: nothing of the deployment was ever touched. */
const stagingStanding = (status: OperationStatus, reason: string): string =>
  status.result === 'completed'
    ? reason
    : [
        `The rehearsal for ${status.deployment} was ${status.result === 'aborted' ? 'aborted' : 'stopped'}: ${reason.replace(/\.$/, '')}.`,
        `${status.deployment} itself was not touched. Once more: ${stagingCommand(status)}`,
      ].join('\n');

const stagingCommand = ({ deployment, to, via }: Pick<OperationStatus, 'deployment' | 'to' | 'via'>): string =>
  `rollout staging start ${deployment} ${targetOptions(to, via)}`;

/** How a statement says that another start would find nothing to do. */
export const NOTHING_LEFT = 'Nothing is left to upgrade.';

/** Told so and seen so: a node that runs the release and was not given back is still to be finished. */
const isAllUpgraded = ({ to, shards }: OperationStatus, running: Running | undefined): boolean =>
  running !== undefined &&
  shards.every(({ nodes }) =>
    nodes.every(({ address, state }) => state === 'upgraded' && running.releases.get(address) === to),
  );

/** Starting the same once more goes on from where it stood. */
export const startCommand = ({ deployment, to, via }: Pick<OperationStatus, 'deployment' | 'to' | 'via'>): string =>
  `rollout start ${deployment} ${targetOptions(to, via)}`;

/** What goes on from where the operation ended, and why that; the first is what was being done. */
export function goOn(status: OperationStatus): { why: string; command: string }[] {
  const { deployment, operation, goingBack, fallback, statement } = status;
  if (operation === 'staging') return [{ why: 'Another rehearsal begins anew', command: stagingCommand(status) }];
  const start = startCommand(status);
  if (operation !== 'fallback' && !goingBack)
    return [{ why: 'Starting the same upgrade again continues where it stood', command: start }];
  const back = fallbackCommand(
    goingBack ? { ...goingBack, deployment } : { deployment, restore: fallback?.restore !== undefined },
  );
  const refused = { why: 'Nothing was done for the fallback; once what it was refused for is no more', command: back };
  if (goingBack?.refused) return [refused, { why: 'Or, to go on with the upgrade', command: start }];
  if (statement?.endsWith(NOT_TOUCHED)) return [refused];
  return [{ why: 'The same fallback again continues where it stood', command: back }];
}

/** `3 of 6 nodes run 7.0.15`, and of a way's other releases `none 7.2.4`. A node that runs it may be yet to be compared. */
function countOf(
  { via = [], to, hop = to, progress, shards }: OperationStatus,
  release: string,
  running: Running | undefined,
): string {
  const whole = shards
    .flatMap(({ nodes }) => nodes)
    .filter((node) => node.state !== 'failed' && node.state !== 'in progress');
  const told = release === hop ? progress.upgraded : whole.filter((node) => node.release === release).length;
  const count = running ? [...running.releases.values()].filter((it) => it === release).length : told;
  if (release === (via[0] ?? to)) return `${count} of ${progress.nodes} nodes run ${release}`;
  return `${count === 0 ? 'none' : count} ${release}`;
}

/**
 * An upgrade begins on a cluster whose every node answers, so one that is away is somebody's to start. An older server
 * than its primary's would drop what it can't parse, and be promotable.
 */
const ifAway = (release: string, to: string): string =>
  `If no process serves it, start it by hand: the server of ${to}${release === to ? '' : ` (or of ${release}, with the .previous file beside its configuration file, while its primary runs ${release} too)`} with its configuration file and --cluster-replica-no-failover yes. The next rollout start takes it up from there, once every node answers.`;
