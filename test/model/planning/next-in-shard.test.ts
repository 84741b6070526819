import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nextInShard, sameRoles } from '../../../model/planning/next-in-shard.js';
import type { NodeView, ShardView } from '../../../model/topology.js';

const OLD = '5.0.6';
const NEW = '8.0.6';

const node = (n: number, release: string, primary?: string): NodeView => ({
  id: `id-${n}`,
  address: `10.0.0.${n}:6379`,
  release,
  role: primary === undefined ? 'primary' : 'replica',
  ...(primary === undefined
    ? {}
    : { replication: { primary, link: 'up' as const, offset: 100, loading: false, syncing: false } }),
  replid: 'r',
  offset: 100,
  backlogBytes: 1,
  usedMemoryBytes: 1,
  maxMemoryBytes: 0,
  keys: 1,
  uptimeSeconds: 100,
  runId: `run-${n}`,
});

function shardOf([primary = OLD, ...replicas]: string[]): ShardView {
  const first = node(0, primary);
  return {
    name: 'shard-1',
    slots: [[0, 5460]],
    primary: first,
    replicas: replicas.map((it, i) => node(i + 1, it, first.address)),
  };
}

test('an upgraded replica that nobody compared does not take over', () => {
  const shard = shardOf([OLD, NEW]);
  expect(nextInShard(shard, NEW, [], [])).toMatchObject({ kind: 'compare', node: { address: '10.0.0.1:6379' } });
  expect(nextInShard(shard, NEW, [], ['10.0.0.1:6379'])).toMatchObject({ kind: 'hand over' });
});

test('a replica of the old version that came back late is upgraded before the role moves', () =>
  expect(nextInShard(shardOf([OLD, NEW, OLD]), NEW, [], ['10.0.0.1:6379'])).toMatchObject({
    kind: 'upgrade replica',
    node: { address: '10.0.0.2:6379' },
  }));

test('an old primary that an interrupted operation left behind a newer one is upgraded next', () =>
  expect(nextInShard(shardOf([NEW, OLD]), NEW, ['10.0.0.1:6379'], [])).toMatchObject({ kind: 'upgrade replica' }));

test('nodes that were never released are finished, though every node runs the target', () => {
  const shard = shardOf([NEW, NEW]);
  expect(nextInShard(shard, NEW, ['10.0.0.1:6379'], [])).toMatchObject({ kind: 'finish replica' });
  expect(nextInShard(shard, NEW, ['10.0.0.0:6379'], [])).toEqual({ kind: 'release primary' });
  expect(nextInShard(shard, NEW, [], [])).toBeUndefined();
});

test('an upgraded replica that has lost its link is waited for', () => {
  const shard = shardOf([OLD, NEW]);
  const [replica] = shard.replicas;
  if (replica?.replication) replica.replication.link = 'down';
  expect(nextInShard(shard, NEW, [], ['10.0.0.1:6379'])).toMatchObject({
    kind: 'await link',
    node: { address: '10.0.0.1:6379' },
  });
});

test('without a replica that could take over it says so', () =>
  expect(nextInShard(shardOf([OLD]), NEW, [], [])).toMatchObject({ kind: 'stuck' }));

// Carried out, whatever the beginning, the decisions end with every node on the target and nothing pending, and the role
// moves only to a node that was compared, when no replica of the old version is left.
test('whatever stands there, the decisions lead to the end by safe steps', () => {
  const releases = fc.array(fc.constantFrom(OLD, NEW), { minLength: 2, maxLength: 5 });
  fc.assert(
    fc.property(releases, fc.infiniteStream(fc.boolean()), (from, coins) => {
      let shard = shardOf(from);
      const all = [shard.primary, ...shard.replicas].map((it) => it.address);
      let pending = all.filter(() => coins.next().value as boolean);
      let compared: string[] = [];
      const set = (address: string, change: Partial<NodeView>): void => {
        const apply = (it: NodeView): NodeView => (it.address === address ? { ...it, ...change } : it);
        shard = { ...shard, primary: apply(shard.primary), replicas: shard.replicas.map(apply) };
      };
      for (let steps = 0; ; steps++) {
        expect(steps).toBeLessThan(20);
        const next = nextInShard(shard, NEW, pending, compared);
        if (next === undefined) break;
        if (next.kind === 'upgrade replica' || next.kind === 'finish replica') {
          set(next.node.address, { release: NEW });
          pending = pending.filter((it) => it !== next.node.address);
          compared.push(next.node.address);
        } else if (next.kind === 'compare') compared.push(next.node.address);
        else if (next.kind === 'release primary') pending = pending.filter((it) => it !== shard.primary.address);
        else if (next.kind === 'hand over') {
          expect(compared).toContain(next.successor.address);
          expect(shard.replicas.every(({ release }) => release === NEW)).toBe(true);
          const old = shard.primary.address;
          const primary = { ...next.successor, role: 'primary' as const };
          const replicas = [shard.primary, ...shard.replicas.filter((it) => it.address !== primary.address)];
          const link = { primary: primary.address, link: 'up' as const, offset: 100, loading: false, syncing: false };
          shard = {
            ...shard,
            primary,
            replicas: replicas.map((it) => ({ ...it, role: 'replica' as const, replication: link })),
          };
          set(old, { release: NEW });
          pending = pending.filter((it) => it !== old);
          compared = [old];
        } else throw new Error(JSON.stringify(next));
      }
      expect([shard.primary, ...shard.replicas].every(({ release }) => release === NEW)).toBe(true);
      expect(pending).toEqual([]);
    }),
  );
});

test('a decision does not outlive a change of roles', () => {
  const shard = shardOf([OLD, NEW, OLD]);
  expect(sameRoles(shard, shard)).toBe(true);
  expect(sameRoles(shard, { ...shard, primary: node(9, NEW) })).toBe(false);
  expect(sameRoles(shard, { ...shard, replicas: shard.replicas.slice(1) })).toBe(false);
  expect(sameRoles(shard, { ...shard, replicas: [...shard.replicas, node(9, OLD)] })).toBe(false);
});
