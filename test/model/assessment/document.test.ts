// A document that hides a blocker, tells a secret, or lets the name of a key become a script of the page.
import { expect, test } from 'vitest';
import { documentOf, type AssessmentDocument, type DocumentInput } from '../../../model/assessment/document.js';
import { renderMarkdown, renderPage } from '../../../model/assessment/render.js';
import { verdictOf } from '../../../model/assessment/sections.js';
import { makePlan } from '../../../model/planning/make-plan.js';
import { assessmentView } from '../../../scripts/rollout/views/assessment-view.js';
import { deployment, topology } from '../planning/topologies.js';
import { evidenceOf } from './evidence.js';

const EVIL = '<script>alert(1)</script>|`';
const GIB = 1024 ** 3;

function document(policy: string, more: Partial<DocumentInput> = {}): AssessmentDocument {
  const of = deployment(policy);
  const seen = topology([{ releases: ['6.2.14', '6.2.14'], bytes: GIB }]);
  const evidence = evidenceOf({ calls: { stralgo: 3, get: 5 } });
  const big = { key: EVIL, type: 'string', bytes: 20 * 1024 ** 2 };
  const keys = { shard: 'shard-1', node: '10.0.1.1:6379', keys: 500, looked: 10, bytes: 900, expiring: 5, hot: [] };
  const found = { types: { string: { keys: 10, bytes: 900 } }, encodings: { raw: 10 }, patterns: {}, sizes: {} };
  return documentOf({
    ...{
      assessment: 'a1',
      startedBy: 'ana',
      startedAt: '2026-11-30T08:00:00.000Z',
      endedAt: '2026-11-30T09:00:00.000Z',
    },
    ...{ deployment: of, topology: seen, way: ['8.0.6'], monitorMs: 0 },
    plan: makePlan({ deployment: of, topology: seen, to: '8.0.6', facts: { nodes: {} } }),
    evidence: { ...evidence, survey: { ...evidence.survey, keys: [{ ...keys, ...found, big: [big] }] } },
    capacity: { records: 1, overMs: 0, projections: [] },
    ...more,
  });
}

test('what blocks stands first, in every form', () => {
  const it = document('');
  expect(it.findings[0]).toMatchObject({ severity: 'blocker', subject: 'stralgo' });
  expect(verdictOf(it)).toBe('orders, Redis 6.2.14 to Redis 8.0.6: not yet (1 blocker, 0 actions, 1 note).');
  const text = assessmentView(it, { paint: (_, words) => words, width: 100 }).join('\n');
  for (const form of [text, renderMarkdown(it), renderPage(it).text]) {
    expect(form).toContain('STRALGO is in use');
    expect(form.indexOf('stralgo')).toBeLessThan(form.indexOf('big keys'));
    expect(form).toContain('10 of 500');
  }
});

test('a key can be called anything', () => {
  const it = document('');
  expect(renderPage(it).text).not.toContain('<script>alert');
  expect(renderMarkdown(it)).not.toContain('<script>');
  const rows = renderMarkdown(it)
    .split('\n')
    .filter((line) => line.startsWith('| note |'));
  expect(rows).toHaveLength(1);
  expect(rows[0]?.match(/(?<!\\)\|/g)).toHaveLength(7);
});

test('standbys are nodes, memory and money until the soak is over', () => {
  const price = { amount: 2, currency: 'EUR' };
  const it = document('fallback: standby', { price });
  expect(it.phases.map(({ name, extraNodes }) => [name, extraNodes])).toEqual([
    ['backup', 0],
    ['standbys', 1],
    ['canary', 0],
    ['shards', 0],
    ['soak', 0],
  ]);
  const hours = it.phases.slice(1).reduce((ms, phase) => ms + phase.expectedMs, 0) / 3_600_000;
  const memory = (it.phases[1]?.memoryBytes ?? 0) / GIB;
  expect(hours).toBeGreaterThan(1);
  expect(it.cost?.amount).toBeCloseTo(hours * memory * 2, 6);
  expect(document('', { price }).cost?.amount).toBe(0);
});

test('what touches nodes begins in a maintenance window', () => {
  const it = document('windows: [{ days: [wed], from: "22:00", to: "04:00", timezone: UTC }]');
  const of = (name: string): string | undefined => it.phases.find((phase) => phase.name === name)?.earliest;
  // The 30th of November 2026 is a Monday.
  expect(of('backup')).toBe('2026-11-30T09:00:00.000Z');
  expect(of('canary')).toBe('2026-12-02T22:00:00.000Z');
});
