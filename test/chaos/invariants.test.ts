// Each invariant must see what breaks it: a check that can't fail finds nothing.
import { expect, test } from 'vitest';
import type { TimelineEntry } from '../../model/operation.js';
import { violationsIn } from '../../scripts/chaos/invariants.js';
import type { ChaosEvent, NodeSample, Recording, Sample } from '../../scripts/chaos/recording.js';

const [A, B, C] = ['127.0.0.1:1', '127.0.0.1:2', '127.0.0.1:3'];
const begin = Date.parse('2026-01-01T00:00:00Z');
const second = (n: number): number => begin + n * 1000;

const node = (address: string, more: Partial<NodeSample>): NodeSample => ({
  address,
  state: 'answers',
  release: '5.0.6',
  runId: `run of ${address}`,
  role: 'primary',
  slots: 8192,
  linkUp: true,
  loading: false,
  syncing: false,
  offset: 100,
  promotable: true,
  owners: [A, C],
  ...more,
});
const primary = (address: string, more: Partial<NodeSample> = {}): NodeSample => node(address, more);
const replica = (address: string, of: string, more: Partial<NodeSample> = {}): NodeSample =>
  node(address, { role: 'replica', slots: 0, primary: of, ...more });
const sample = (n: number, ...nodes: NodeSample[]): Sample => ({ at: second(n), nodes });
const step = (kind: TimelineEntry['kind'], text: string, of: string, from: number, until: number): TimelineEntry => ({
  at: new Date(second(from)).toISOString(),
  until: new Date(second(until)).toISOString(),
  kind,
  text,
  node: of,
});
const event = (n: number, kind: ChaosEvent['kind'], ...nodes: string[]): ChaosEvent => ({ at: second(n), kind, nodes });

const found = (it: Partial<Recording> & Pick<Recording, 'samples'>): string[] =>
  violationsIn({ events: [], timeline: [], from: '5.0', to: '8.0', overrun: false, ...it }).map(
    ({ invariant, node: at }) => `${invariant} ${at}`,
  );

/** A shard A with its replica B, and C, an owner of other slots, as an upgrade that goes well takes them. */
const well: Recording = {
  samples: [
    sample(0, primary(A), replica(B, A), primary(C)),
    sample(1, primary(A), replica(B, A, { promotable: false }), primary(C)),
    sample(2, primary(A), replica(B, A, { promotable: false, state: 'gone' }), primary(C)),
    sample(3, primary(A), replica(B, A, { promotable: false, release: '8.0.6', runId: 'new' }), primary(C)),
    sample(5, primary(A), replica(B, A, { release: '8.0.6', runId: 'new' }), primary(C)),
    sample(6, primary(A, { promotable: false }), replica(B, A, { release: '8.0.6', runId: 'new' }), primary(C)),
    sample(
      7,
      replica(A, B, { promotable: false, owners: [B, C] }),
      primary(B, { release: '8.0.6', runId: 'new', owners: [B, C] }),
      primary(C, { owners: [B, C] }),
    ),
    sample(
      8,
      replica(A, B, { promotable: false, state: 'gone' }),
      primary(B, { release: '8.0.6', runId: 'new', owners: [B, C] }),
      primary(C, { owners: [B, C] }),
    ),
  ],
  timeline: [step('step', 'verify', B, 3, 4), step('handover', `hand over to ${B}`, A, 6, 7)],
  events: [],
  from: '5.0',
  to: '8.0',
  overrun: false,
};

test('an upgrade that goes well breaks none', () => {
  expect(found(well)).toEqual([]);
});

test('a node that owns slots is stopped', () => {
  const samples = [
    sample(0, primary(A), replica(B, A), primary(C)),
    sample(1, primary(A, { state: 'gone' }), replica(B, A), primary(C)),
    sample(2, primary(A, { state: 'gone' }), replica(B, A), primary(C)),
  ];
  expect(found({ samples })).toEqual([`slot owner stopped ${A}`]);
  expect(found({ samples, events: [event(0.5, 'down', A)] })).toEqual([]);
  // Handed over between two looks: by the next one nobody sees slots at it any more.
  const [first, second_] = samples;
  const handed = sample(
    2,
    primary(A, { state: 'gone' }),
    primary(B, { owners: [B, C] }),
    primary(C, { owners: [B, C] }),
  );
  expect(found({ samples: [first, second_, handed].filter((it) => it !== undefined) })).toEqual([]);
});

test('a node that owns slots is stopped and started between two looks', () => {
  const samples = [
    sample(0, primary(A), replica(B, A), primary(C)),
    sample(1, primary(A, { runId: 'another' }), replica(B, A), primary(C)),
    sample(2, primary(A, { runId: 'another' }), replica(B, A), primary(C)),
  ];
  expect(found({ samples })).toEqual([`slot owner stopped ${A}`]);
});

test('a node that owns slots is stopped after it had fallen silent', () => {
  const samples = [
    sample(0, primary(A), replica(B, A), primary(C)),
    sample(1, primary(A, { state: 'silent' }), replica(B, A), primary(C)),
    sample(2, primary(A, { state: 'gone' }), replica(B, A), primary(C)),
    sample(3, primary(A, { state: 'gone' }), replica(B, A), primary(C)),
  ];
  expect(found({ samples })).toEqual([`slot owner stopped ${A}`]);
});

test('a node of the new version takes over before it was compared', () => {
  const unverified = { ...well, timeline: well.timeline.filter(({ text }) => text !== 'verify') };
  expect(found(unverified)).toEqual([`unverified node promoted ${B}`]);
  const late = { ...well, timeline: [step('step', 'verify', B, 3, 30), ...well.timeline.slice(1)] };
  expect(found(late)).toEqual([`unverified node promoted ${B}`]);
});

test.each<[string, Partial<NodeSample>]>([
  ['had no link', { linkUp: false }],
  ['loaded', { loading: true }],
  ['was given a dataset', { syncing: true }],
  ['was silent', { state: 'silent' }],
])('the upgrade hands over to a node that %s', (_, state) => {
  const samples = well.samples.map((it) =>
    it.at === second(6)
      ? { ...it, nodes: it.nodes.map((one) => (one.address === B ? { ...one, ...state } : one)) }
      : it,
  );
  expect(found({ ...well, samples })).toEqual([`lagging node promoted ${B}`]);
});

test('an older node follows a newer primary and may be promoted', () => {
  const after = (n: number): Sample => sample(n, replica(A, B), primary(B, { release: '8.0.6' }), primary(C));
  expect(found({ samples: [after(1), after(2)] })).toEqual([`older replica promotable ${A}`]);
  // One look may fall in between; and a role that somebody else changed is not the upgrade's doing.
  expect(found({ samples: [after(1)] })).toEqual([]);
  expect(found({ samples: [after(1), after(2)], events: [event(0, 'roles', A, B)] })).toEqual([]);
});

test('an older node is told to take the dataset of a newer primary', () => {
  const kept = { promotable: false, linkUp: false, syncing: true };
  const samples = [sample(1, replica(A, B, kept), primary(B, { release: '8.0.6' }), primary(C))];
  expect(found({ samples })).toEqual([`full sync from a newer version ${A}`]);
  expect(found({ samples: [sample(1, replica(A, B, kept), primary(B), primary(C))] })).toEqual([]);
  // With a backlog that is too small it may befall an old primary after its handover, and nobody else.
  const timeline = [step('handover', `hand over to ${B}`, A, 0, 1)];
  expect(found({ samples, overrun: true, timeline })).toEqual([]);
  expect(found({ samples, timeline })).toHaveLength(1);
  expect(found({ samples, overrun: true })).toHaveLength(1);
});

test('a state that lasts is one violation', () => {
  const samples = Array.from({ length: 20 }, (_, n) =>
    sample(n, replica(A, B), primary(B, { release: '8.0.6' }), primary(C)),
  );
  expect(found({ samples })).toHaveLength(1);
});
