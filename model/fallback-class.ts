import { canPauseWrites, isKnown, shareBus } from './compatibility/rules.js';
import type { Policy } from './policy.js';
import type { FollowState, NotRepresentable } from './follow-state.js';
import { nameRelease } from './release.js';

/** What an upgrade can be taken back with at this moment, and what that would lose. */
export interface FallbackOutlook {
  /** `lossless-except`: all but what the previous release can't hold. `restore-only`: nothing but the backup. */
  class: 'lossless' | 'lossless-except' | 'restore-only';
  reason: string;
  /** Of `lossless-except`. */
  except?: NotRepresentable[];
}

/** A shard's standby, as far as the class depends on it. */
export interface StandbyNews {
  shard: string;
  /** What its follower wrote down last. */
  follow?: Pick<FollowState, 'notRepresentable' | 'comparison'>;
  /** Why it is of no use any more. */
  lost?: string;
}

/**
 * The class that an upgrade has from the plan on: by what the policy keeps for it, and whether the two releases allow
 * going back at all.
 *
 * @param announcesHostname is cluster-announce-hostname set on a node?
 */
export function plannedClass(
  { fallback }: Pick<Policy, 'fallback'>,
  { from, to, announcesHostname = false }: { from: string; to: string; announcesHostname?: boolean },
): FallbackOutlook {
  if (fallback === 'none')
    return restoreOnly(
      'policy.fallback is none: once a shard is handed over, nothing is kept that it could go back to',
    );
  if (fallback === 'backup')
    return restoreOnly('policy.fallback is backup: whatever was written since the backup would be lost');
  for (const verdict of [isKnown(from), isKnown(to), shareBus(from, to, { announcesHostname })])
    if (verdict.state !== 'pass') return restoreOnly(verdict.reason);
  // Writes are held at the primary of the newer release while the standby takes over from it.
  if (canPauseWrites(to).state !== 'pass')
    return restoreOnly(
      `${nameRelease(to)} can neither pause writes alone nor lift a pause (both came with 6.2): no standby could take over from it without loss`,
    );
  return {
    class: 'lossless',
    reason: `a standby of ${nameRelease(from)} has every write of each shard until finalize`,
  };
}

/** The class as it is now. Of several shards the worst counts, since the deployment goes back as a whole. */
export function classNow(planned: FallbackOutlook, standbys: readonly StandbyNews[]): FallbackOutlook {
  if (planned.class === 'restore-only') return planned;
  const lost = standbys.filter((it) => it.lost !== undefined);
  if (lost.length > 0) return restoreOnly(lost.map((it) => `${it.shard}: ${it.lost}`).join('; '));
  const held = together(standbys.flatMap(({ follow }) => follow?.notRepresentable ?? []));
  const differing = together(standbys.flatMap(({ follow }) => differingKeys(follow)));
  const reasons = [
    ...(held.length > 0 ? [`the previous release can’t hold ${held.map(lossText).join('; ')}`] : []),
    ...differing.map(
      ({ count, examples }) =>
        `${count} ${count === 1 ? 'key differs' : 'keys differ'} from the primary’s, and ${count === 1 ? 'is' : 'are'} copied again (${examples.slice(0, 3).join(', ')})`,
    ),
  ];
  if (reasons.length === 0) return planned;
  return { class: 'lossless-except', reason: reasons.join('; '), except: [...held, ...differing] };
}

const lossText = ({ what, count, examples }: NotRepresentable): string =>
  `${what} of ${count} ${count === 1 ? 'key' : 'keys'} (${examples.slice(0, 3).join(', ')})`;

function differingKeys(follow: StandbyNews['follow']): NotRepresentable[] {
  const { different: count = 0, examples = [] } = follow?.comparison ?? {};
  const names = examples.filter(({ repaired }) => !repaired).map(({ key }) => key);
  return count === 0 ? [] : [{ what: 'values that differ from the primary’s', count, examples: names }];
}

/** Has the class come down? What was lost before is no news. */
export const isWorse = (now: FallbackOutlook, before: FallbackOutlook): boolean => rank(now) > rank(before);

const order = ['lossless', 'lossless-except', 'restore-only'] as const;
const rank = (it: FallbackOutlook): number => order.indexOf(it.class);

const restoreOnly = (reason: string): FallbackOutlook => ({ class: 'restore-only', reason });

/** How many examples of one kind are kept. */
const MOST_EXAMPLES = 10;

function together(all: readonly NotRepresentable[]): NotRepresentable[] {
  const kinds = new Map<string, NotRepresentable>();
  for (const { what, count, examples } of all) {
    const known = kinds.get(what) ?? { what, count: 0, examples: [] };
    kinds.set(what, {
      what,
      count: known.count + count,
      examples: [...known.examples, ...examples].slice(0, MOST_EXAMPLES),
    });
  }
  return [...kinds.values()].filter(({ count }) => count > 0);
}
