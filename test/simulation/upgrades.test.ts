import { afterAll, beforeAll, expect, test } from 'vitest';
import { operationId } from '../../model/names.js';
import { passedBounds } from '../../scripts/simulation/bounds.js';
import { Fleet } from '../../scripts/simulation/fleet.js';
import { simulate } from '../../scripts/simulation/simulate.js';
import { collectReport } from '../../workers/collect-report.js';
import { OperationReader } from '../../workers/read-operation.js';
import { thorough } from '../thorough.js';

// Both with histories that are continued soon; `npm run simulate` has them as long as they are.
let fleet: Fleet;
beforeAll(async () => {
  fleet = await Fleet.open({ shortHistories: true });
}, 240_000);
afterAll(() => fleet[Symbol.asyncDispose]());

/** Of small upgrades. */
const runs = thorough ? 16 : 3;

test(`${runs} small upgrades, each with faults of its own: no invariant is broken, and each is whole in the end`, async () => {
  const size = { nodes: 6, runs, seed: 1, faults: 'many', parallel: 2 } as const;
  const { summary, violations, upgraded } = await simulate(fleet, size, () => undefined);
  expect(violations).toEqual([]);
  expect(upgraded.filter(({ whole }) => !whole)).toEqual([]);
  expect(summary).toMatchObject({ runs, completed: runs, nodes: 6, shards: 3 });
  // Else nothing was tried: some of them stopped, said so truly, and were started again.
  expect(summary.tries).toBeGreaterThan(runs);
}, 600_000);

test('a node of a larger fleet costs no more events, though its roll continues more often', async () => {
  const measured = async (nodes: number, seed: number) => {
    const size = { nodes, runs: 1, seed, faults: 'none', parallel: 10 } as const;
    return (await simulate(fleet, size, () => undefined)).summary;
  };
  const [smaller, larger] = [await measured(12, 101), await measured(36, 102)];
  for (const it of [smaller, larger]) expect(it).toMatchObject({ completed: 1, tries: 1 });
  expect(larger.eventsPerNode).toBeLessThanOrEqual(smaller.eventsPerNode);
  expect(passedBounds([smaller, larger])).toEqual([]);
}, 600_000);

test('a roll that continues as new: report, status and timeline have every shard, before and after', async () => {
  const shards = 8;
  const upgraded = await fleet.upgrade('orders', { seed: 7, shards, faults: 'some', parallelShards: 3 });
  expect(upgraded).toMatchObject({ results: ['completed'], violations: [] });
  const measured = await fleet.measure(upgraded);
  expect(measured.histories, 'root, every shard, and more than one run of the roll').toBeGreaterThan(shards + 2);

  const { workflow } = fleet.client;
  const report = await collectReport(workflow, operationId('orders'));
  const names = Array.from({ length: shards }, (_, n) => `shard-${n + 1}`);
  const inOrder = (found: Iterable<string | undefined>): (string | undefined)[] =>
    [...new Set(found)].sort((a, b) => names.indexOf(a ?? '') - names.indexOf(b ?? ''));
  expect(inOrder(report.handovers.map(({ shard }) => shard))).toEqual(names);
  expect(new Set(report.releases.map(({ node }) => node)).size).toBe(2 * shards);
  const begun = report.timeline.filter(
    ({ text }) => text.endsWith(` of ${shards} shards`) || text.startsWith('canary'),
  );
  expect(inOrder(begun.map(({ shard }) => shard))).toEqual(names);

  const { status, timeline } = await new OperationReader(workflow, { workflowId: operationId('orders') }).read();
  expect(status.progress).toEqual({ upgraded: 2 * shards, nodes: 2 * shards });
  expect(status.shards.map(({ state }) => state)).toEqual(names.map(() => 'upgraded'));
  expect(inOrder(timeline.filter(({ kind }) => kind === 'handover').map(({ shard }) => shard))).toEqual(names);
}, 600_000);
