// What was measured on real servers, pair by pair: a rule that is changed says here what it contradicts.
import { describe, expect, test } from 'vitest';
import { expiresTravelRelatively, readsSnapshotOf, shareBus } from '../../../model/compatibility/rules.js';
import { upgradePath } from '../../../model/compatibility/upgrade-path.js';

const redis = ['5.0.6', '6.0.16', '6.2.14', '7.0.15', '7.2.4', '7.4.1', '8.0.6', '8.2.3'];
const valkey = ['valkey-8.1.1', 'valkey-9.1.2'];
const from = (first: string): string[] => redis.slice(redis.indexOf(first));

describe('who can load what another saves', () => {
  test.each([
    ['5.0.6', [...redis, ...valkey]],
    ['6.0.16', [...redis, ...valkey]],
    ['6.2.14', [...redis, ...valkey]],
    ['7.0.15', [...from('7.0.15'), ...valkey]],
    ['7.2.4', [...from('7.2.4'), ...valkey]],
    ['7.4.1', from('7.4.1')],
    ['8.0.6', from('7.4.1')],
    ['8.2.3', from('7.4.1')],
    ['valkey-8.1.1', [...from('7.2.4'), ...valkey]],
    // By full sync it sends RDB 11 to whoever asks for that; what it saves is its own format.
    ['valkey-9.1.2', ['valkey-9.1.2']],
  ])('%s: by %j, and by nobody else', (writer, readers) => {
    const able = [...redis, ...valkey].filter((reader) => readsSnapshotOf(reader, writer).state === 'pass');
    expect(able).toEqual(readers);
  });
});

describe('who hears whom on the cluster bus', () => {
  const silent = ['7.2.4', '7.4.1'];
  test.each(['5.0.6', '6.0.16', '6.2.14'])('%s hears everybody but 7.2 and 7.4', (old) => {
    const unheard = [...redis, ...valkey].filter((it) => shareBus(old, it).state !== 'pass');
    expect(unheard).toEqual(silent);
  });
  test.each([
    ['7.0.15', '7.2.4'],
    ['7.0.15', '7.4.1'],
    ['7.2.4', 'valkey-9.1.2'],
    ['7.4.1', '8.0.2'],
  ])('%s and %s hear each other', (a, b) => {
    expect(shareBus(a, b).state).toBe('pass');
    expect(shareBus(b, a, { announcesHostname: true }).state).toBe('pass');
  });
  test.each(['5.0.6', '6.0.16', '6.2.14'])('%s does not hear a 7.0 that announces a hostname', (old) => {
    expect(shareBus(old, '7.0.15').state).toBe('pass');
    expect(shareBus(old, '7.0.15', { announcesHostname: true }).state).toBe('fail');
  });
});

// Each was rolled whole, three primaries and their replicas under writers, without a full resync or a lost write.
test.each([
  ['5.0.6', '7.0.15', 'drifts'],
  ['5.0.6', '8.0.2', 'drifts'],
  ['5.0.6', 'valkey-9.1.2', 'drifts'],
  ['6.2.14', '8.2.3', 'drifts'],
  ['7.0.15', '7.4.1', 'holds'],
  ['7.2.4', 'valkey-9.1.2', 'holds'],
  ['8.0.2', '8.2.3', 'holds'],
])('%s → %s in one step; an expiry of a node that was away %s', (before, after, expiry) => {
  expect(upgradePath(before, after).ok).toBe(true);
  expect(expiresTravelRelatively(before)).toBe(expiry === 'drifts');
});
