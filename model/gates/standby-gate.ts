import { clockHarm, clockOffFrom, clockText } from '../clocks.js';
import type { Policy } from '../policy.js';
import { formatDuration, formatSize } from '../duration.js';
import type { FollowState } from '../follow-state.js';
import { fail, pass, wait, type Verdict } from '../verdict.js';
import { list } from './cluster-gates.js';
import type { GateObservation, StandbySeen } from './observation.js';

type StandbyPolicy = Pick<Policy, 'gates' | 'fallback' | 'fallbackLost' | 'ttlTolerance'>;

/** What a follower wrote down longer ago than this says nothing of now, ms: it writes twice a second. */
const oldestMs = 10_000;

/** Could every shard go back without loss at this moment: does its standby live, and is it near enough to its primary? */
export function standbyGate({ topology, standbys }: GateObservation, policy: StandbyPolicy): Verdict {
  if (policy.fallback !== 'standby') return pass(`no standbys (policy.fallback is ${policy.fallback})`);
  const shards = topology.shards.map(({ name }) => name);
  if (shards.length === 0) return wait('no shard was seen', 'a node answers with its topology');
  const known = standbys.filter(({ shard }) => shards.includes(shard));
  const bare = shards.filter((name) => !known.some(({ shard }) => shard === name));
  const harm = [
    ...bare.map((name) => `${name} has no standby`),
    ...known.flatMap(({ shard, release, follow }) =>
      (follow?.notRepresentable ?? []).map(
        ({ what, count, examples }) =>
          `${release} can’t hold ${what} of ${count} ${count === 1 ? 'key' : 'keys'} of ${shard} (${examples.slice(0, 3).join(', ')})`,
      ),
    ),
  ];
  if (harm.length > 0 && policy.fallbackLost === 'hold')
    return fail(
      `going back would lose something: ${list(harm)}`,
      'nothing would be lost any more, or policy.fallbackLost is warn',
    );
  const troubles = known.flatMap((it) => troubleOf(it, policy));
  if (troubles.length > 0)
    return wait(
      list(troubles),
      `every standby lives, is at most ${formatSize(policy.gates.maxStandbyLag)} and ${formatDuration(policy.gates.maxStandbyDelay)} behind (policy.gates.maxStandbyLag, maxStandbyDelay), no key of it is known to differ, and its clock is its primary’s within ${formatDuration(policy.ttlTolerance)} (policy.ttlTolerance)`,
    );
  const said = harm.length > 0 ? `; going back would lose something: ${list(harm)}` : '';
  return pass(`${lagText(known)}${said}`);
}

function troubleOf(
  { shard, address, state, answers, lost, link, clock, follow }: StandbySeen,
  { gates, ttlTolerance }: Pick<Policy, 'gates' | 'ttlTolerance'>,
): string[] {
  if (!answers) return [`${address}, the standby of ${shard}, does not answer`];
  if (state === 'serving') return [];
  if (lost !== undefined)
    return [`${address}, the standby of ${shard}, can’t be brought up to its primary any more: ${lost}`];
  if (state === 'syncing') return link === 'up' ? [] : [`${address}, the standby of ${shard}, is not in sync yet`];
  if (!follow || !(follow.ageMs <= oldestMs)) return [`nothing is heard of what follows ${shard} for ${address}`];
  if (follow.phase !== 'following')
    return [`${address}, the standby of ${shard}, is not given anything: ${whyNot(follow)}`];
  // Written so that a number which is none doesn't pass.
  if (!(follow.lagBytes <= gates.maxStandbyLag))
    return [`${address}, the standby of ${shard}, is ${formatSize(follow.lagBytes)} behind`];
  if (!(follow.lagMs <= gates.maxStandbyDelay))
    return [`${address}, the standby of ${shard}, is ${formatDuration(follow.lagMs)} behind`];
  const off =
    clock && clockOffFrom({ address, clock: clock.own }, { address: clock.of, clock: clock.primary }, ttlTolerance);
  if (off) return [`${clockText(off)}: ${clockHarm(off)}`];
  return differenceOf(shard, address, follow);
}

/** What was found by comparing, until it has been copied again and is the same. */
function differenceOf(shard: string, address: string, { comparison }: FollowState): string[] {
  if (!comparison || comparison.different === 0) return [];
  const { different, examples } = comparison;
  const some = examples.filter(({ repaired }) => !repaired).map(({ key, what }) => `${key}: ${what}`);
  return [
    `${different} ${different === 1 ? 'key' : 'keys'} of ${address}, the standby of ${shard}, ${different === 1 ? 'is' : 'are'} not as at the primary, and copied again (${list(some)})`,
  ];
}

const whyNot = ({ phase, waitsFor }: FollowState): string =>
  waitsFor ?? (phase === 'copying' ? 'a fresh copy is made for it' : 'its follower begins');

function lagText(known: readonly StandbySeen[]): string {
  const following = known.flatMap(({ follow }) => (follow ? [follow] : []));
  if (following.length === 0) return `${known.length} of them in sync`;
  const bytes = Math.max(...following.map(({ lagBytes }) => lagBytes));
  const ms = Math.max(...following.map(({ lagMs }) => lagMs));
  return `at most ${formatSize(bytes)} and ${formatDuration(ms)} behind`;
}
