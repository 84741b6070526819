import { formatDuration } from './duration.js';
import type { OperationStatus } from './operation.js';
import type { Running } from './standing.js';

const RESTORED = /^\S+: restored at /;

/** Where everything stands at the end of a fallback, and what to do now. */
export function fallbackStanding(
  { deployment, to, result, progress, shards, startedBy, fallback }: OperationStatus,
  reason: string,
  untouched: boolean,
  running?: Running,
): string {
  const names = shards.map(({ shard }) => shard);
  // Said when it was asked, it is what a restore would give up; once one is done, what it has.
  const restored = (fallback?.restore ?? []).filter((it) => RESTORED.test(it));
  if (result === 'completed')
    return [
      `${names.join(', ')} of ${deployment} ${names.length === 1 ? 'is' : 'are'} back on ${to}: all ${progress.nodes} nodes, as ${startedBy} asked for. Other shards, if there are any, stay as they are.`,
      ...restored,
    ].join('\n');
  if (untouched) return `${deployment} did not fall back: ${reason}\nNothing was touched.`;
  const left = shards.filter(({ state }) => state !== 'upgraded').map(({ shard }) => shard);
  const on = running ? [...running.releases.values()].filter((release) => release === to).length : progress.upgraded;
  return [
    `The fallback of ${deployment} was ${result === 'aborted' ? 'aborted' : 'stopped'}: ${reason.replace(/\.$/, '')}.`,
    `${on} of ${progress.nodes} nodes run ${to}.`,
    ...(running?.away ?? []).map((address) => `${address} does not answer.`),
    ...restored,
    ...(left.length === 0 ? [] : [`Not back yet: ${left.join(', ')}. Each serves from where its primary is now.`]),
    `To go on where it stands: rollout fallback ${deployment}${fallback?.restore ? ' --restore' : ''} --reason "…"`,
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
    `The standbys of ${standbys.map(({ shard }) => shard).join(', ')} (${first.release}) stay in place, and nothing is given to them until the next operation: ${reach} is copied anew where it is not there any more. To take it back: rollout fallback ${deployment} --reason "…"`,
  ];
}
