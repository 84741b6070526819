// Calls that are counted twice, or lost with a restart, would call a command unused that somebody needs.
import { expect, test } from 'vitest';
import { looksOver } from '../../../model/assessment/observation.js';
import { patternOf } from '../../../model/assessment/pattern.js';
import type { ClientSeen, NodeLook } from '../../../model/assessment/survey.js';
import { usageOf } from '../../../model/assessment/usage.js';
import { measuredOf } from '../../../model/knowledge/measured.js';

const table = measuredOf('6.2.14').commands;
const look = (at: number, calls: Record<string, number>, more: Partial<NodeLook> = {}): NodeLook => ({
  ...{ address: '10.0.0.1:6379', runId: 'a', primary: true, at, calls, connected: 1 },
  ...more,
});
const client = (more: Partial<ClientSeen>): ClientSeen => ({
  ...{ application: 'shop', address: '10.0.0.9:1', blocked: false, readOnly: false, idleSeconds: 0 },
  ...more,
});

test('what was called in between, over all nodes and over a restart', () => {
  const usage = usageOf(
    [
      [look(0, { get: 10, stralgo: 5 }), look(0, { get: 1 }, { address: '10.0.0.2:6379' })],
      [look(5000, { get: 14, stralgo: 5 }), look(5000, { get: 3 }, { address: '10.0.0.2:6379', runId: 'anew' })],
    ],
    table,
  );
  expect(usage).toMatchObject({ looks: 2, overMs: 5000 });
  expect(usage.commands).toEqual([
    { name: 'get', calls: 17, during: 7 },
    { name: 'stralgo', calls: 5, during: 0 },
  ]);
});

test('one look knows nothing of what came in between', () => {
  expect(usageOf([[look(0, { get: 10 })]], table).commands).toEqual([{ name: 'get', calls: 10 }]);
});

test('a replica counts the writes of its primary, which no client sent it', () => {
  const replica = look(0, { set: 10, get: 4 }, { address: '10.0.0.2:6379', primary: false });
  expect(usageOf([[look(0, { set: 10 }), replica]], table).commands).toEqual([
    { name: 'set', calls: 10 },
    { name: 'get', calls: 4 },
  ]);
});

test('instances are one application, with the most connections at once and all that they ran', () => {
  const usage = usageOf(
    [
      [look(0, {}, { clients: [client({ command: 'get' }), client({ command: 'set', address: '10.0.0.8:2' })] })],
      [look(1, {}, { clients: [client({ command: 'get', library: 'ioredis', version: '5.4.1' })] })],
    ],
    table,
    [{ application: 'shop', commands: { incr: 3 }, patterns: { 'cart:#': 3 } }],
  );
  expect(usage.applications).toMatchObject([
    {
      ...{ name: 'shop', connections: 2, hosts: ['10.0.0.9', '10.0.0.8'], libraries: ['ioredis 5.4.1'] },
      ...{ commands: ['get', 'incr', 'set'], patterns: ['cart:#'] },
    },
  ]);
});

test.each([
  ['cart:4711:items', 'cart:#:items'],
  ['session:{6f1e7a52-1c39-4a53-9c6b-1c0f6d2b7a10}', 'session:{<uuid>}'],
  ['blob:deadbeefcafe0123456789ab', 'blob:<hex>'],
  ['plain', 'plain'],
])('%s is one of %s', (name, pattern) => {
  expect(patternOf(name)).toBe(pattern);
});

test('an observation has up to 60 looks, the last one at its end', () => {
  expect(looksOver(0)).toEqual({ looks: 1, everyMs: 0 });
  expect(looksOver(4000)).toEqual({ looks: 2, everyMs: 4000 });
  expect(looksOver(60_000)).toEqual({ looks: 7, everyMs: 10_000 });
  const { looks, everyMs } = looksOver(24 * 3_600_000);
  expect(looks).toBe(60);
  expect((looks - 1) * everyMs).toBeCloseTo(24 * 3_600_000, -3);
});
