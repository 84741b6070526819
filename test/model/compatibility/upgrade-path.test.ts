// A target that can't be reached must be refused before anything is touched, with the way that works.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { releaseLines } from '../../../model/compatibility/release-lines.js';
import { canPauseWrites, readsSnapshotOf, shareBus } from '../../../model/compatibility/rules.js';
import {
  explainRefusal,
  leftToUpgrade,
  oneStep,
  stopsLeft,
  upgradePath,
} from '../../../model/compatibility/upgrade-path.js';

// Every pair of this list was carried through on real servers.
test.each([
  ['5.0.6', '7.0.15'],
  ['5.0.6', '8.0.2'],
  ['5.0.6', '8.0'],
  ['5.0.6', '6.2'],
  ['5.0.6', 'valkey-9.1.2'],
  ['6.2.14', '8.2.3'],
  ['7.0.15', '7.4.1'],
  ['7.2.4', 'valkey-9.1.2'],
  ['7.4.1', '8.0.6'],
  ['8.0.2', '8.0.6'],
  ['8.0.2', '8.2.3'],
  ['valkey-8.1.1', 'valkey-9.1'],
])('%s to %s is one step', (from, to) => {
  expect(upgradePath(from, to)).toMatchObject({ ok: true });
  expect(explainRefusal('orders', from, to)).toBeUndefined();
});

test.each([
  ['8.0.6', '8.0.6', 'runs Redis 8.0.6 already'],
  ['8.0.6', '8.0', 'a release of 8.0 already'],
  ['8.0.6', '8.0.2', 'Redis 8.0.2 is older than Redis 8.0.6'],
  ['8.0.6', '5.0', 'Redis 5.0 is older'],
  ['7.4.1', 'valkey-9.1', "Valkey 9.1 can't read what Redis 7.4.1 saves (RDB version 12"],
  ['8.2.3', 'valkey-8.1.1', 'RDB version 12'],
  ['valkey-8.1.1', '8.2', "Valkey 8.1.1 can't become Redis"],
  ['5.0.6', '9.9', 'nothing is known here of Redis 9.9'],
  ['4.0.14', '8.0', 'nothing is known here of Redis 4.0.14'],
  ['5.0.6', 'latest', "'latest' is no release"],
])('%s to %s is refused without a way', (from, to, reason) => {
  const path = upgradePath(from, to);
  expect(path).toMatchObject({ ok: false, refused: expect.stringContaining(reason) as string });
  expect(path).not.toHaveProperty('hop');
});

test.each([
  ['5.0.6', '7.2.4', ['7.0', '7.2.4'], '8.0'],
  ['5.0.6', '7.4', ['7.0', '7.4'], '8.0'],
  ['6.0.16', '7.2', ['7.0', '7.2'], '8.0'],
  ['6.2.14', '7.4.1', ['7.0', '7.4.1'], '8.0'],
  ['6.2.14', 'valkey-7.2', ['7.0', 'valkey-7.2'], 'valkey-8.0'],
])('%s to %s never meets on the bus: by way of %j, or straight to %s', (from, to, hop, straight) => {
  expect(upgradePath(from, to)).toMatchObject({ ok: false, hop, straight });
  expect(upgradePath(from, to)).toHaveProperty('refused', expect.stringContaining('redis#13401'));
});

test('every step of a suggested way, and the straight one, is a step that is allowed', () => {
  const line = fc.constantFrom(...releaseLines.map((it) => it.line));
  fc.assert(
    fc.property(line, line, fc.nat({ max: 20 }), (a, b, patch) => {
      const from = `${a}.${patch}`;
      const path = upgradePath(from, b);
      if (path.ok) {
        expect(oneStep(from, b)).toEqual([]);
        return;
      }
      let at = from;
      for (const next of path.hop ?? []) {
        expect(oneStep(at, next)).toEqual([]);
        at = next;
      }
      if (path.hop) expect(at).toBe(b);
      if (path.straight !== undefined) expect(oneStep(from, path.straight)).toEqual([]);
    }),
  );
});

test('the refusal reads like a message and ends in commands', () => {
  expect(explainRefusal('orders', '5.0.6', '7.2.4')).toBe(
    [
      "orders can't go from 5.0.6 to 7.2.4 in one step.",
      '  Nodes before 7.0 drop the bus messages that 7.2 sends, so Redis 7.2.4 would never join (redis#13401).',
      '  Go by way of 7.0:      rollout plan orders --to 7.2.4 --via 7.0',
      '  Or straight to 8.0:    rollout plan orders --to 8.0',
    ].join('\n'),
  );
});

describe('a way in several hops', () => {
  test('is allowed when each hop is, and refused with the one that isn’t', () => {
    expect(explainRefusal('orders', '5.0.6', '7.2.4', ['7.0.15'])).toBeUndefined();
    expect(explainRefusal('orders', '5.0.6', '8.2.3', ['6.2.14', '7.0.15'])).toBeUndefined();
    const refusal = explainRefusal('orders', '5.0.6', '7.2.4', ['6.2.14']);
    expect(refusal).toContain("orders can't go from 6.2.14 to 7.2.4 in one step.");
    expect(refusal).toContain('rollout plan orders --to 7.2.4 --via 7.0');
    expect(explainRefusal('orders', '5.0.6', '7.0.15', ['7.2.4'])).toContain('from 5.0.6 to 7.2.4');
    expect(explainRefusal('orders', '7.0.15', '7.0.15', ['7.4.1'])).toContain('Redis 7.0.15 is older than Redis 7.4.1');
  });

  const way = ['7.0.15', '7.2.4'];
  test.each([
    ['nothing was begun', ['5.0.6', '5.0.6'], [], ['7.0.15', '7.2.4']],
    ['the first hop is under way', ['7.0.15', '5.0.6'], [], ['7.0.15', '7.2.4']],
    ['the first hop is done', ['7.0.15', '7.0.15'], [], ['7.2.4']],
    ['another patch of its line will do', ['7.0.9', '7.0.15'], [], ['7.2.4']],
    ['one node was never released', ['7.0.15', '7.0.15'], [1], ['7.0.15', '7.2.4']],
    ['the second hop is under way', ['7.2.4', '7.0.15'], [1], ['7.2.4']],
    ['all is done', ['7.2.4', '7.2.4'], [], ['7.2.4']],
  ] as [string, string[], number[], string[]][])('what is left when %s', (_, running, pending, left) => {
    const nodes = running.map((release, i) => ({ release, pending: pending.includes(i) }));
    expect(stopsLeft(nodes, way)).toEqual(left);
  });
});

describe('cluster-announce-hostname', () => {
  test('keeps a 7.0 node from being heard by a 5.0 one', () => {
    expect(shareBus('5.0.6', '7.0.15')).toMatchObject({ state: 'pass' });
    expect(shareBus('5.0.6', '7.0.15', { announcesHostname: true })).toMatchObject({ state: 'fail' });
    expect(shareBus('7.0.15', '5.0.6', { announcesHostname: true })).toMatchObject({ state: 'fail' });
  });
  test('is harmless where both understand it, or the newer sends it only to those who do', () => {
    expect(shareBus('7.0.15', '7.2.4', { announcesHostname: true })).toMatchObject({ state: 'pass' });
    expect(shareBus('5.0.6', '8.0.6', { announcesHostname: true })).toMatchObject({ state: 'pass' });
  });
});

test('an old node never reads a newer snapshot: it would have emptied itself by the time it said so', () => {
  expect(readsSnapshotOf('5.0.6', '7.0.15')).toMatchObject({ state: 'fail' });
  expect(readsSnapshotOf('7.2.4', 'valkey-9.1.2')).toMatchObject({ state: 'fail' });
  expect(readsSnapshotOf('valkey-9.1.2', '7.2.4')).toMatchObject({ state: 'pass' });
});

test('the fast handover needs 6.2', () => {
  expect(canPauseWrites('6.0.16')).toMatchObject({ state: 'fail', reason: expect.stringContaining('6.2') as string });
  expect(canPauseWrites('6.2.14')).toEqual({ state: 'pass' });
  expect(canPauseWrites('valkey-8.1.1')).toEqual({ state: 'pass' });
});

test('what is left of a partly upgraded deployment: each release once, oldest first', () => {
  expect(leftToUpgrade(['7.0.15', '8.0.6', '5.0.6', '7.0.9', '5.0.6'], '8.0.6')).toEqual(['5.0.6', '7.0.9', '7.0.15']);
  expect(leftToUpgrade(['8.0.6', '8.0.2'], '8.0')).toEqual([]);
});
