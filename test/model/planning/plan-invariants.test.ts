// A plan that stops a primary, upgrades a node twice or leaves no copy would lose data when it is carried out.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Plan, PlanStep } from '../../../model/plan.js';
import { makePlan } from '../../../model/planning/make-plan.js';
import { allNodes, type TopologyView } from '../../../model/topology.js';
import { anyStage, deployment, facts } from './topologies.js';

const [from, to] = ['5.0.6', '8.0.6'];
const orders = deployment(`parallelShards: 2
roles: { engineering: [ana] }
approvals: { handover: { roles: [engineering], per: shard } }`);
const plan = (topology: TopologyView): Plan => makePlan({ deployment: orders, topology, to, facts: facts(topology) });
const isUpgrade = ({ kind }: PlanStep): boolean => kind === 'upgrade replica' || kind === 'upgrade primary';
const steps = (it: Plan): PlanStep[] => it.shards.flatMap((shard) => shard.steps);

const always = (property: (topology: TopologyView, plan: Plan) => void): void =>
  fc.assert(
    fc.property(anyStage(from, to), (topology) => {
      property(topology, plan(topology));
    }),
  );

test('a primary that owns slots is stopped only after it was handed over to an upgraded replica', () =>
  always((topology, it) => {
    for (const shard of topology.shards) {
      const own = steps(it).filter((step) => step.shard === shard.name);
      const stopped = own.findIndex((step) => isUpgrade(step) && step.node === shard.primary.address);
      if (stopped < 0) continue;
      const handover = own.findIndex(({ kind }) => kind === 'handover');
      expect(handover).toBeGreaterThanOrEqual(0);
      expect(handover).toBeLessThan(stopped);
      const successor = own[handover]?.node;
      const replica = shard.replicas.find(({ address }) => address === successor);
      const upgraded = own.findIndex((step) => isUpgrade(step) && step.node === successor);
      expect(replica?.release === to || (upgraded >= 0 && upgraded < handover)).toBe(true);
    }
  }));

test('every node that is left is upgraded exactly once, and no other, unless its shard has no replica', () =>
  always((topology, it) => {
    const stuck = topology.shards.filter(({ replicas, primary }) => replicas.length === 0 && primary.release !== to);
    const left = allNodes(topology).filter(
      (node) => node.release !== to && !stuck.some(({ primary }) => primary === node),
    );
    const upgraded = steps(it).filter(isUpgrade);
    expect(upgraded.map(({ node }) => node).sort()).toEqual(left.map(({ address }) => address).sort());
    expect(
      it.warnings.filter(({ severity, text }) => severity === 'blocker' && text.includes('no replica')),
    ).toHaveLength(stuck.length);
  }));

test('a copy is there at every moment, and never more are promised than there are nodes', () =>
  always((topology, it) => {
    for (const step of steps(it)) {
      const shard = topology.shards.find(({ name }) => name === step.shard);
      const nodes = 1 + (shard?.replicas.length ?? 0);
      expect(step.copiesDuring).toBeGreaterThanOrEqual(1);
      expect(step.copiesDuring).toBeLessThanOrEqual(isUpgrade(step) ? nodes - 1 : nodes);
    }
  }));

test('the handover waits for its approval, once each shard', () =>
  always((_, it) => {
    for (const { steps } of it.shards) {
      const handovers = steps.filter(({ kind }) => kind === 'handover').length;
      expect(handovers).toBeLessThanOrEqual(1);
      expect(steps.filter(({ kind }) => kind === 'approval')).toHaveLength(handovers);
      if (handovers) expect(steps[steps.findIndex(({ kind }) => kind === 'handover') - 1]?.kind).toBe('approval');
    }
  }));

test('after each node that is upgraded, the plan of what is left is the rest of the plan', () =>
  always((topology, it) => {
    const upgraded = steps(it).find(isUpgrade);
    // A primary that follows a handover changes roles first: looked at below.
    if (!upgraded || steps(it)[0] !== upgraded) return;
    const after: TopologyView = {
      ...topology,
      shards: topology.shards.map(({ primary, replicas, ...rest }) => ({
        ...rest,
        primary,
        replicas: replicas.map((node) => (node.address === upgraded.node ? { ...node, release: to } : node)),
      })),
    };
    const nodes = (of: Plan, shard: string): (string | undefined)[] =>
      steps(of)
        .filter((step) => isUpgrade(step) && step.shard === shard)
        .map(({ node }) => node);
    for (const { name } of topology.shards)
      expect(nodes(plan(after), name)).toEqual(nodes(it, name).filter((node) => node !== upgraded.node));
  }));

test('carried out node by node, whatever the stage, planning again and again ends with every node upgraded', () =>
  always((topology) => {
    let now = topology;
    const stuck = now.shards.filter(({ replicas, primary }) => replicas.length === 0 && primary.release !== to).length;
    for (let round = 0; ; round++) {
      expect(round).toBeLessThanOrEqual(3 * allNodes(topology).length);
      const [step] = steps(plan(now)).filter(({ kind }) => kind !== 'approval' && kind !== 'verify');
      if (!step) break;
      now = carryOut(now, step);
    }
    expect(allNodes(now).filter(({ release }) => release !== to)).toHaveLength(stuck);
  }));

/** The topology after one step, roles and releases only. */
function carryOut(topology: TopologyView, step: PlanStep): TopologyView {
  return {
    ...topology,
    shards: topology.shards.map((shard) => {
      if (shard.name !== step.shard) return shard;
      if (step.kind !== 'handover')
        return {
          ...shard,
          replicas: shard.replicas.map((it) => (it.address === step.node ? { ...it, release: to } : it)),
        };
      const successor = shard.replicas.find(({ address }) => address === step.node);
      if (!successor) throw new Error('handed over to nobody');
      const { replication, ...promoted } = successor;
      if (!replication) throw new Error('handed over to a primary');
      const follows = { ...replication, primary: successor.address };
      return {
        ...shard,
        primary: { ...promoted, role: 'primary' as const },
        replicas: [
          ...shard.replicas.filter((it) => it !== successor).map((it) => ({ ...it, replication: follows })),
          { ...shard.primary, role: 'replica' as const, replication: follows },
        ],
      };
    }),
  };
}

test('the same topology always gives the same plan', () =>
  always((topology, it) => expect(plan(structuredClone(topology))).toEqual(it)));
