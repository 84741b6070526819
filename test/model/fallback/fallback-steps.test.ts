// A fallback is started again after an interruption anywhere: from each state it must come to its end, and no step of it
// may have an older node follow a newer primary, or a shard without a primary.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nextInFallback, withoutWayBack, type FallbackInShard } from '../../../model/fallback-steps.js';
import type { NodeView, ShardView } from '../../../model/topology.js';
import { topology } from '../planning/topologies.js';

const [OLD, NEW] = ['5.0.6', '8.0.6'];
const STANDBY = '10.1.1.0:6379';

interface World {
  nodes: { address: string; release: string }[];
  primary: string;
  standby: { address: string; state: string } | undefined;
  pending: string[];
  /** Nodes that can't be read. */
  away: string[];
  before: string | undefined;
  /** Was it approved that it is restored from its backup? */
  restore?: true;
}

/** As the cluster shows it: a standby is seen once it serves, or follows as a replica. */
function shardOf({ nodes, primary, away }: World): ShardView {
  const order = nodes.filter(({ address }) => !away.includes(address)).sort((a) => (a.address === primary ? -1 : 1));
  const [shard] = topology([{ releases: order.map(({ release }) => release) }]).shards;
  if (!shard) throw new TypeError('a shard');
  const name = (view: NodeView, i: number): NodeView => ({
    ...view,
    address: order[i]?.address ?? '',
    ...(view.replication ? { replication: { ...view.replication, primary } } : {}),
  });
  return { ...shard, primary: name(shard.primary, 0), replicas: shard.replicas.map((it, i) => name(it, i + 1)) };
}

const seen = (world: World): FallbackInShard => ({
  ...{ shard: shardOf(world), to: OLD, pending: world.pending.filter((it) => !world.away.includes(it)) },
  away: world.away,
  ...(world.standby ? { standby: world.standby } : {}),
  ...(world.before === undefined ? {} : { before: world.before }),
  ...(world.restore ? { restore: true } : {}),
});

/** Does what the step says, and expects that it was allowed. */
function carryOut(world: World): World | undefined {
  const next = nextInFallback(seen(world));
  if (!next) return undefined;
  const primary = world.nodes.find(({ address }) => address === world.primary);
  const present = world.nodes.filter(({ address }) => !world.away.includes(address));
  switch (next.kind) {
    case 'return':
      expect(next.node.address).not.toBe(world.primary);
      expect(primary?.release).toBe(OLD);
      if (world.away.includes(next.node.address)) {
        expect(present.every(({ release }) => release === OLD)).toBe(true);
        // A standby serves on only where nobody else could.
        expect(world.primary === STANDBY ? present : []).toHaveLength(world.primary === STANDBY ? 1 : 0);
      }
      return {
        ...world,
        nodes: world.nodes.map((it) => (it.address === next.node.address ? { ...it, release: OLD } : it)),
        pending: world.pending.filter((it) => it !== next.node.address),
        away: world.away.filter((it) => it !== next.node.address),
      };
    case 'restore':
      expect(world.restore).toBe(true);
      expect(primary?.release).toBe(NEW);
      expect(world.standby?.state).not.toBe('frozen');
      return {
        ...world,
        nodes: world.nodes.map((it) => (it.address === world.primary ? { ...it, release: OLD } : it)),
      };
    case 'release primary':
      return { ...world, pending: world.pending.filter((it) => it !== world.primary) };
    case 'cut over':
      expect(world.standby?.state).toBe('frozen');
      return {
        ...world,
        nodes: [...world.nodes.filter(({ address }) => address !== STANDBY), { address: STANDBY, release: OLD }],
        primary: STANDBY,
        standby: { address: STANDBY, state: 'serving' },
      };
    case 'hand over':
      expect(world.nodes.find(({ address }) => address === next.successor.address)?.release).toBe(OLD);
      expect(present.every(({ release }) => release === OLD)).toBe(true);
      return { ...world, primary: next.successor.address };
    case 'remove standby':
      expect(world.away).toEqual([]);
      expect(world.primary).not.toBe(STANDBY);
      return {
        ...world,
        nodes: world.nodes.filter(({ address }) => address !== STANDBY),
        standby: undefined,
      };
    default:
      throw new Error(`${next.kind} of a healthy shard`);
  }
}

const anyWorld = fc
  .record({
    releases: fc.array(fc.constantFrom(OLD, NEW), { minLength: 2, maxLength: 4 }),
    at: fc.nat(),
    where: fc.constantFrom('none', 'syncing', 'frozen', 'taken', 'serving', 'left'),
    isPending: fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
    isAway: fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
    before: fc.option(fc.nat(), { nil: undefined }),
  })
  .map(({ releases, at, where, isPending, isAway, before }): World => {
    const nodes = releases.map((release, n) => ({ address: `10.0.1.${n}:6379`, release }));
    const own = nodes[at % nodes.length]?.address ?? '';
    const serves = where === 'serving' || where === 'taken';
    const joined = serves || where === 'left';
    return {
      nodes: [...nodes, ...(joined ? [{ address: STANDBY, release: OLD }] : [])],
      primary: serves ? STANDBY : own,
      standby:
        where === 'none'
          ? undefined
          : { address: STANDBY, state: where === 'taken' ? 'frozen' : where === 'left' ? 'serving' : where },
      pending: nodes.filter((_, n) => isPending[n]).map(({ address }) => address),
      away: nodes.filter(({ address }, n) => isAway[n] && (serves || address !== own)).map(({ address }) => address),
      before: before === undefined ? undefined : nodes[before % nodes.length]?.address,
    };
  })
  // Handed over with nothing to go back to is refused unless people say so, and a standby that handed the role on did so to
  // an older node.
  .filter(({ standby, nodes, primary }) => standby?.state !== 'serving' || releaseOf(nodes, primary) === OLD)
  .map((world): World => {
    const bare = releaseOf(world.nodes, world.primary) === NEW && world.standby?.state !== 'frozen';
    return bare ? { ...world, restore: true } : world;
  });

const releaseOf = (nodes: World['nodes'], at: string): string | undefined =>
  nodes.find(({ address }) => address === at)?.release;

test('from whatever an interruption left, it ends with every node on the previous release and no standby', () =>
  fc.assert(
    fc.property(anyWorld, (start) => {
      let world = start;
      for (let steps = 0; ; steps++) {
        expect(steps).toBeLessThan(20);
        const next = carryOut(world);
        if (!next) break;
        world = next;
      }
      expect(world.nodes.every(({ release }) => release === OLD)).toBe(true);
      expect(world).toMatchObject({ standby: undefined, pending: [], away: [] });
    }),
  ));

test('the role goes back to who had it before the standby', () => {
  const nodes = ['10.0.1.0:6379', '10.0.1.1:6379', STANDBY].map((address) => ({ address, release: OLD }));
  const world = { nodes, primary: STANDBY, standby: { address: STANDBY, state: 'serving' }, pending: [], away: [] };
  for (const before of ['10.0.1.0:6379', '10.0.1.1:6379'])
    expect(nextInFallback(seen({ ...world, before }))).toMatchObject({
      kind: 'hand over',
      successor: { address: before },
    });
});

test('a shard that was handed over, and whose standby is not there or was never frozen, could only be restored', () => {
  const nodes = [NEW, NEW].map((release, n) => ({ address: `10.0.1.${n}:6379`, release }));
  const world: World = {
    nodes,
    primary: '10.0.1.1:6379',
    standby: undefined,
    pending: [],
    away: [],
    before: undefined,
  };
  const shard = shardOf(world);
  const bare = (...standbys: { shard: string; address: string; state: string; lost?: string }[]): ShardView[] =>
    withoutWayBack({ topology: { shards: [shard] }, standbys, to: OLD });
  const standby = { shard: shard.name, address: STANDBY };
  expect(bare()).toEqual([shard]);
  expect(bare({ ...standby, state: 'syncing' })).toEqual([shard]);
  expect(bare({ ...standby, state: 'frozen' })).toEqual([]);
  expect(bare({ ...standby, state: 'frozen', lost: 'it has no record of its follower' })).toEqual([shard]);
  const lost = { address: STANDBY, state: 'frozen', lost: 'it has no record of its follower' };
  expect(nextInFallback({ ...seen(world), standby: lost })).toMatchObject({
    kind: 'refused',
    reason: expect.stringMatching(/10\.1\.1\.0:6379 can’t be brought up to it any more: it has no record/) as string,
  });
  expect(nextInFallback({ ...seen(world), standby: lost, restore: true })).toEqual({ kind: 'restore' });
});

test('a replica without its link is waited for before the standby hands the shard on', () => {
  const nodes = ['10.0.1.0:6379', STANDBY].map((address) => ({ address, release: OLD }));
  const it = seen({
    nodes,
    primary: STANDBY,
    standby: { address: STANDBY, state: 'serving' },
    ...{ pending: [], away: [] },
    before: undefined,
  });
  const cut = it.shard.replicas.map((node) => ({
    ...node,
    ...(node.replication ? { replication: { ...node.replication, link: 'down' as const } } : {}),
  }));
  expect(nextInFallback({ ...it, shard: { ...it.shard, replicas: cut } })?.kind).toBe('await link');
});
