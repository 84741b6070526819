// A report of a rehearsal that calls a sample the whole, noise a success, or draws a change where it was not.
import { expect, it, test } from 'vitest';
import { changeChart } from '../../../model/report/change-chart.js';
import { html } from '../../../model/report/html.js';
import { renderStaging } from '../../../model/report/render-staging.js';
import { stagingVerdict } from '../../../model/report/staging-verdict.js';
import { failedStaging, sampleStaging, sampleStagingReport } from './sample-staging.js';

test('a go says what was rehearsed, what was compared, and who signed it off', () => {
  expect(stagingVerdict(sampleStaging())).toMatchObject({
    ...{ tone: 'good', label: 'Go', findings: [] },
    sentence: 'Redis 5.0.6 to 8.0.6 was rehearsed on a copy of orders, 1,204,331 keys, in 1 d 2 h.',
    proof: '1,204,331 keys compared, 0 different; signed off by product.',
    next: [{ command: 'rollout start orders --to 8.0.6' }],
  });
});

test('a no-go names each step that failed, and how to rehearse once more', () => {
  const { tone, findings, next } = stagingVerdict(failedStaging('latency.p99 +71.4 %').rehearsal);
  expect([tone, findings]).toEqual(['bad', ['Targets: latency.p99 +71.4 %.']]);
  expect(next[0]?.command).toBe('rollout staging start orders --to 8.0.6');
});

test('one that was ended by somebody says by whom, though no step has failed', () => {
  const record = sampleStaging({ decision: 'no-go', why: 'product was rejected by pia' });
  expect(stagingVerdict(record).findings).toEqual(['Product was rejected by pia.']);
});

test('a sample, and what could not be judged, are no plain go', () => {
  expect(stagingVerdict(sampleStaging({ slots: ['0-99'] }))).toMatchObject({
    tone: 'caution',
    label: 'Go, after a sample',
  });
  const steps = [{ name: 'targets', result: 'undecided' as const, tookMs: 0, found: 'runs lie 40 % apart' }];
  expect(stagingVerdict(sampleStaging({ steps }))).toMatchObject({
    tone: 'caution',
    findings: ['Targets could not be judged: runs lie 40 % apart.'],
  });
});

test('less lies left of the middle, more lies right of it, and what goes astray stays on the page', () => {
  const about = { verdict: 'measured', says: '' } as const;
  const text = html`${changeChart([
    { ...about, measure: 'less', change: -0.3, from: -0.35, to: -0.25 },
    { ...about, measure: 'more', change: 0.1, from: 0.05, to: 0.2, target: 0.05 },
    { ...about, measure: 'astray', change: 40, from: 20, to: 90 },
    { ...about, measure: 'never' },
  ])}`.text;
  const [less = 0, more = 0, astray = 0, ...others] = [...text.matchAll(/class="point" x="([\d.]+)%"/g)].map(([, x]) =>
    Number(x),
  );
  expect(others).toEqual([]);
  expect(less).toBeLessThan(50);
  expect(more).toBeGreaterThan(50);
  expect(astray).toBe(100);
  expect(text.match(/class="objective"/g)).toHaveLength(1);
});

it('shows every step, every measure and every answer', () => {
  const { text } = renderStaging(sampleStagingReport());
  for (const shown of ['1,204,331 keys on 6 nodes', 'throughput.hset was not measured', 'pia (product)', '+44 %'])
    expect(text).toContain(shown);
});
