import { formatDuration } from './duration.js';
import type { OperationStatus, ShardStatus } from './operation.js';
import { restoreText } from './restore.js';
import type { Running } from './standing.js';

/** How a statement ends where nothing was done. */
export const NOT_TOUCHED = 'Nothing was touched.';

/** Where everything stands at the end of a fallback, and what to do now. */
export function fallbackStanding(
  { deployment, to, result, progress, shards, startedBy, fallback, named }: OperationStatus,
  reason: string,
  untouched: boolean,
  running?: Running,
): string {
  const names = shards.map(({ shard }) => shard);
  // Said when it was asked, it is what a restore would give up; once one is done, what it has.
  const restored = (fallback?.restore ?? []).filter(({ state }) => state === 'restored').map(restoreText);
  if (result === 'completed')
    return [
      `${names.join(', ')} of ${deployment} ${names.length === 1 ? 'is' : 'are'} back on ${to}: all ${progress.nodes} nodes, as ${startedBy} asked for.${named ? ' The other shards stay as they are.' : ''}`,
      ...restored,
    ].join('\n');
  if (untouched) return `${deployment} did not fall back: ${reason}\n${NOT_TOUCHED}`;
  const left = shards.filter(({ state }) => state !== 'upgraded').map(({ shard }) => shard);
  const on = running ? [...running.releases.values()].filter((release) => release === to).length : progress.upgraded;
  return [
    `The fallback of ${deployment} was ${result === 'aborted' ? 'aborted' : 'stopped'}: ${reason.replace(/\.$/, '')}.`,
    `${on} of ${progress.nodes} nodes run ${to}.`,
    ...(running?.away ?? []).map((address) => `${address} does not answer.`),
    ...restored,
    ...(left.length === 0 ? [] : [`Not back yet: ${left.join(', ')}. Each serves from where its primary is now.`]),
    `To go on where it stands: ${fallbackCommand({ deployment, restore: fallback?.restore !== undefined })}`,
  ].join('\n');
}

/** Takes back what is left to be taken back. */
export const fallbackCommand = ({
  deployment,
  shard,
  restore = false,
}: {
  deployment: string;
  shard?: string;
  restore?: boolean;
}): string =>
  `rollout fallback ${deployment}${shard === undefined ? '' : ` --shard ${shard}`}${restore ? ' --restore' : ''} --reason "…"`;

/**
 * Of an upgrade whose fallback did not come to its end: what is back, and what is not. Another start of the upgrade would
 * upgrade again what was taken back, so the way back is what goes on.
 *
 * @returns undefined where it was not being taken back
 */
export function notTakenBack(
  { deployment, to: target, goingBack, result, progress, shards }: OperationStatus,
  reason: string,
  running?: Running,
): string | undefined {
  if (!goingBack || goingBack.refused) return undefined;
  const { to, by, shard: only } = goingBack;
  const isBack = ({ address, release, state }: ShardStatus['nodes'][number]): boolean =>
    running ? running.releases.get(address) === to : release === to && state !== 'failed' && state !== 'in progress';
  const asked = shards.filter(({ shard }) => only === undefined || shard === only);
  const left = asked.filter(({ nodes }) => !nodes.every(isBack)).map(({ shard }) => shard);
  const back = shards.flatMap(({ nodes }) => nodes).filter(isBack).length;
  return [
    `The fallback of ${only ?? deployment} from ${target}, which ${by} asked for, was ${result === 'aborted' ? 'aborted' : 'stopped'}: ${reason.replace(/\.$/, '')}.`,
    `${back} of ${progress.nodes} nodes run ${to}.`,
    ...(running?.away ?? []).map((address) => `${address} does not answer.`),
    ...(left.length === 0 ? [] : [`Not back yet: ${left.join(', ')}. Each serves from where its primary is now.`]),
    'Another start of the upgrade would upgrade again what is back.',
    `To go on where it stands: ${fallbackCommand({ ...goingBack, deployment })}`,
  ].join('\n');
}

/** Of an operation that ends with standbys in place: nothing follows for them until the next one. */
export function standbysLeft({ deployment, fallback }: OperationStatus): string[] {
  const standbys = fallback?.standbys.filter(({ state }) => state !== 'serving') ?? [];
  const [first] = standbys;
  if (!fallback || !first) return [];
  const reach =
    fallback.backlogMs === undefined
      ? 'what was written since'
      : `what is written since is in the backlogs for about ${formatDuration(fallback.backlogMs)}, and`;
  return [
    `The standbys of ${standbys.map(({ shard }) => shard).join(', ')} (${first.release}) stay in place, and nothing is given to them until the next operation: ${reach} is copied anew where it is not there any more. To take it back: ${fallbackCommand({ deployment })}`,
  ];
}
