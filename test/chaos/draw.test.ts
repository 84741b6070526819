// A run that can't be drawn again can't be explained; one that never comes to its fault proves nothing.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { upgradePath } from '../../model/compatibility/upgrade-path.js';
import { drawScenario, pairs, releases } from '../../scripts/chaos/draw.js';
import {
  faultText,
  reproduce,
  scenarioText,
  type Fault,
  type FaultKind,
  type Scenario,
} from '../../scripts/chaos/scenario.js';

const always = (property: (scenario: Scenario) => void): void =>
  fc.assert(
    fc.property(fc.nat(), fc.integer({ min: 1, max: 100_000 }), (seed, run) => {
      property(drawScenario(seed, run));
    }),
  );
const many = (count: number): Scenario[] => Array.from({ length: count }, (_, i) => drawScenario(1, i + 1));

test('the same seed and run draw the same, whatever was drawn before', () =>
  always((scenario) => {
    drawScenario(scenario.seed + 1, scenario.run);
    expect(drawScenario(scenario.seed, scenario.run)).toEqual(scenario);
  }));

test('another run, or another seed, draws something else', () => {
  const texts = many(300).map(scenarioText);
  expect(new Set(texts).size).toBeGreaterThan(290);
  expect(scenarioText(drawScenario(2, 1))).not.toBe(texts[0]);
});

test('every pair can be upgraded in one step, and all lines come', () => {
  for (const [from, to] of pairs) expect(upgradePath(`${from}.0`, to).ok).toBe(true);
  expect(new Set(pairs.flat())).toEqual(new Set(releases));
  const drawn = new Set(many(600).map(({ from, to }) => `${from} ${to}`));
  expect(drawn.size).toBe(pairs.length);
});

test('every kind of fault comes, one to three of them, and none twice but what befalls the worker', () => {
  const kinds: Record<FaultKind, true> = {
    'worker killed': true,
    'worker hung': true,
    'Temporal restarted': true,
    'node killed': true,
    'node hung': true,
    'node slow': true,
    'failover by somebody else': true,
    pause: true,
    abort: true,
    'new version fails once': true,
    'backlog overrun': true,
  };
  const drawn = new Set(many(300).flatMap(({ faults }) => faults.map(({ kind }) => kind)));
  expect(drawn).toEqual(new Set(Object.keys(kinds)));
  always(({ faults }) => {
    expect(faults.length).toBeGreaterThanOrEqual(1);
    expect(faults.length).toBeLessThanOrEqual(3);
    const others = faults.map(({ kind }) => kind).filter((kind) => kind !== 'worker killed');
    expect(new Set(others).size).toBe(others.length);
  });
});

test('a moment comes in every upgrade of that shape: no more often than there are nodes and shards', () =>
  always(({ primaries, replicasEach, faults }) => {
    const nodes = primaries * (1 + replicasEach);
    for (const fault of faults) {
      if ('at' in fault) {
        const most = { prepare: primaries, 'back up': primaries, 'hand over': primaries, canary: 1, soaking: 1 };
        const limit = fault.at.step in most ? most[fault.at.step as keyof typeof most] : nodes;
        expect(fault.at.nth).toBeLessThanOrEqual(limit);
        expect(fault.at.nth).toBeGreaterThanOrEqual(1);
      }
      if ('node' in fault) expect(fault.node).toBeLessThan(nodes);
      if (fault.kind === 'new version fails once') expect(fault.nth).toBeLessThanOrEqual(nodes);
    }
  }));

test('who is hit is known at the moment: a fault of a node comes with a step of a node', () =>
  always(({ faults }) => {
    for (const fault of faults)
      if ('who' in fault) expect(['prepare', 'back up', 'canary', 'soaking']).not.toContain(fault.at.step);
  }));

test('TLS only where both servers have it', () =>
  always(({ access, from, to }) => {
    if (access === 'tls') for (const line of [from, to]) expect(['5.0', '6.2', '8.2']).not.toContain(line);
  }));

test('a scenario is said in one line, and so is what does it again', () => {
  always((scenario) => {
    expect(scenarioText(scenario)).not.toMatch(/\n|undefined|\[object/);
    for (const fault of scenario.faults) expect(scenarioText(scenario)).toContain(faultText(fault));
  });
  expect(reproduce({ seed: 7, run: 13 })).toBe('npm run chaos -- --seed 7 --only 13');
  const fault: Fault = {
    kind: 'node killed',
    at: { step: 'save', nth: 2, edge: 'ends' },
    who: 'its primary',
    awayMs: 300,
  };
  expect(faultText(fault)).toBe('its primary killed for 300 ms when save #2 ends');
});

test('a small run is drawn as small, and says so to whoever does it again', () => {
  const small = Array.from({ length: 200 }, (_, i) => drawScenario(i, 1, { small: true }));
  for (const it of small) {
    expect(it).toMatchObject({ small: true, primaries: 3, replicasEach: 1, keys: 100 });
    expect(it.policy).toMatchObject({ parallelShards: 3, canarySoakMs: 0, soakMs: 0 });
    expect(it.faults).toHaveLength(1);
    expect(reproduce(it)).toMatch(/ --small$/);
  }
  expect(new Set(small.map(scenarioText)).size).toBeGreaterThan(150);
});
