import { olderLine } from '../../model/compatibility/release-lines.js';
import { satisfies } from '../../model/release.js';
import type { ChaosEvent, NodeSample, Recording, Sample, Violation } from './recording.js';

/** An invariant of the design, as it can be seen from outside: from what every node said of itself all the while. */
type Rule = (recording: Recording) => Violation[];

const violation = (invariant: string, at: number, node: string, what: string): Violation => ({
  invariant,
  at: new Date(at).toISOString(),
  node,
  what,
});

const nodeIn = (sample: Sample | undefined, address: string | undefined): NodeSample | undefined =>
  sample?.nodes.find((it) => it.address === address);

/** Did chaos do this to the node at this moment, or shortly before? Its own clock and the watcher's are one. */
function isDownByChaos(events: readonly ChaosEvent[], address: string, at: number): boolean {
  const last = events.filter((it) => it.kind !== 'roles' && it.nodes.includes(address) && it.at <= at).at(-1);
  return last?.kind === 'down' || (last?.kind === 'up' && at - last.at < SETTLES_MS);
}
const SETTLES_MS = 5000;

/** From then on the upgrade can't answer for the node's role and protection: others took them. */
const touchedByChaos = (events: readonly ChaosEvent[], address: string, at: number): boolean =>
  events.some((it) => it.nodes.includes(address) && it.at <= at);

/** Invariant 1: a node that owns slots is never stopped. Whether it still owned them is what the others say afterwards. */
const slotOwnerStopped: Rule = ({ samples, events }) =>
  samples.flatMap((sample, i) =>
    sample.nodes.flatMap((node) => {
      const before = nodeIn(samples[i - 1], node.address);
      // What doesn't answer is as it last was.
      if (!before || before.state === 'gone' || before.role !== 'primary' || before.slots === 0) return [];
      const ended = node.state === 'gone' || (node.state === 'answers' && node.runId !== before.runId);
      if (!ended || isDownByChaos(events, node.address, sample.at)) return [];
      // The next look: by then whoever took over has told the others.
      const others = (samples[i + 1] ?? sample).nodes.filter((it) => it.address !== node.address);
      const owners = others.filter((it) => it.state === 'answers' && it.owners.includes(node.address));
      return owners.length === 0
        ? []
        : [
            violation(
              'slot owner stopped',
              sample.at,
              node.address,
              `ended while it owned ${before.slots} slots; ${owners.map((it) => it.address).join(', ')} still saw them there`,
            ),
          ];
    }),
  );

/** When each node became a primary with slots, and what it had been until then. */
const promotions = ({ samples }: Recording): { at: number; before: NodeSample; after: NodeSample }[] =>
  samples.flatMap(({ at, nodes }, i) =>
    nodes.flatMap((after) => {
      const before = nodeIn(samples[i - 1], after.address);
      const promoted =
        before?.role === 'replica' && after.state === 'answers' && after.role === 'primary' && after.slots > 0;
      return promoted ? [{ at, before, after }] : [];
    }),
  );

/** Invariant 2: who runs the new version takes over only after it was compared with its primary. */
const unverifiedPromoted: Rule = (recording) =>
  promotions(recording).flatMap(({ at, after }) => {
    const { timeline, events, from, to } = recording;
    if (!satisfies(after.release, to) || satisfies(from, to)) return [];
    if (events.some((it) => it.kind === 'up' && it.nodes.includes(after.address) && it.at <= at)) return [];
    const verified = timeline.some(
      ({ kind, text, node, until }) =>
        kind === 'step' &&
        node === after.address &&
        (text === 'verify' || text === 'release') &&
        until !== undefined &&
        Date.parse(until) <= at,
    );
    return verified
      ? []
      : [violation('unverified node promoted', at, after.address, `runs ${after.release} and was never compared`)];
  });

/** Invariant 2: the upgrade hands over to nobody who lagged, loaded or synced when the handover began. */
const laggingPromoted: Rule = (recording) =>
  promotions(recording).flatMap(({ at, after }) => {
    const handover = recording.timeline
      .filter(({ kind, text }) => kind === 'handover' && text.endsWith(` ${after.address}`))
      .filter(
        ({ at: begun, until }) => Date.parse(begun) <= at && (until === undefined || at <= Date.parse(until) + 1000),
      )
      .at(-1);
    if (!handover) return [];
    const last = recording.samples
      .filter((sample) => sample.at <= Date.parse(handover.at))
      .map((sample) => nodeIn(sample, after.address))
      .at(-1);
    if (!last || (last.state === 'answers' && last.linkUp && !last.loading && !last.syncing)) return [];
    const state =
      last.state === 'answers' ? (last.loading ? 'loaded' : last.syncing ? 'synced' : 'had no link') : last.state;
    return [violation('lagging node promoted', at, after.address, `${state} when the handover to it began`)];
  });

/** Pairs of a replica and its primary as both say it of themselves, where the replica is the older one. */
const olderFollowers = ({ nodes }: Sample): { replica: NodeSample; primary: NodeSample }[] =>
  nodes.flatMap((replica) => {
    const primary = nodes.find((it) => it.address === replica.primary);
    return replica.state === 'answers' &&
      replica.role === 'replica' &&
      primary?.state === 'answers' &&
      primary.role === 'primary' &&
      olderLine(replica.release, primary.release)
      ? [{ replica, primary }]
      : [];
  });

/** Invariant 3: an older node that follows a newer primary is kept from being promoted. One look may fall in between. */
const olderPromotable: Rule = ({ samples, events }) =>
  samples.flatMap((sample, i) =>
    olderFollowers(sample).flatMap(({ replica, primary }) => {
      const again = olderFollowers(samples[i - 1] ?? { at: 0, nodes: [] }).find(
        (it) => it.replica.address === replica.address && it.primary.address === primary.address,
      );
      if (!replica.promotable || again?.replica.promotable !== true) return [];
      if (touchedByChaos(events, replica.address, sample.at)) return [];
      return [
        violation(
          'older replica promotable',
          sample.at,
          replica.address,
          `${replica.release} follows ${primary.address} of ${primary.release} and may be promoted`,
        ),
      ];
    }),
  );

/**
 * Invariant 4: an older node is never given the dataset of a newer primary. With a backlog that is too small and may not
 * be grown, Redis does it to an old primary between its handover and its stop (docs/decisions/0009).
 */
const fullSyncFromNewer: Rule = ({ samples, events, timeline, overrun }) => {
  const isAccepted = (address: string, at: number): boolean =>
    overrun &&
    timeline.some(({ kind, node, at: begun }) => kind === 'handover' && node === address && Date.parse(begun) <= at);
  return samples.flatMap((sample) =>
    olderFollowers(sample)
      .filter(({ replica }) => replica.syncing && !touchedByChaos(events, replica.address, sample.at))
      .filter(({ replica }) => !isAccepted(replica.address, sample.at))
      .map(({ replica, primary }) =>
        violation(
          'full sync from a newer version',
          sample.at,
          replica.address,
          `${replica.release} takes the dataset of ${primary.address} of ${primary.release}`,
        ),
      ),
  );
};

const rules: readonly Rule[] = [
  slotOwnerStopped,
  unverifiedPromoted,
  laggingPromoted,
  olderPromotable,
  fullSyncFromNewer,
];

/** What was broken; of one kind the first of each node, since a state that lasts is seen many times. */
export function violationsIn(recording: Recording): Violation[] {
  const found = new Map<string, Violation>();
  for (const it of rules.flatMap((rule) => rule(recording))) {
    const key = `${it.invariant} ${it.node}`;
    if (!found.has(key)) found.set(key, it);
  }
  return [...found.values()];
}
