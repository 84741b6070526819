// A report that calls a failed drill a success, a part the whole, or draws an objective where it is not.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { drillVerdict } from '../../../model/report/drill-verdict.js';
import { renderDrill } from '../../../model/report/render-drill.js';
import { renderReport } from '../../../model/report/render-report.js';
import { renderStaging } from '../../../model/report/render-staging.js';
import { restoreVerdict } from '../../../model/report/restore-verdict.js';
import { durationTicks, trendChart, type TrendPoint } from '../../../model/report/trend.js';
import { timeScale } from '../../../model/report/time-scale.js';
import { launchChromium } from './chromium.js';
import { hostile } from './hostile.js';
import { expectReadable, openPage } from './looks.js';
import { sampleDrill, sampleDrills } from './sample-drill.js';
import { sampleRestore } from './sample-restore.js';
import { failedStaging, sampleStagingReport } from './sample-staging.js';

const part = { shards: ['shard-2'], ofShards: 3, share: 1 / 3 };

describe('a drill in words', () => {
  it('says how soon it came back, and what would have been lost', () => {
    expect(drillVerdict(sampleDrill())).toMatchObject({
      ...{ tone: 'good', label: 'Passed', findings: [] },
      sentence:
        'orders, 3 shards, 1,204,331 keys, came back from nothing in 19 s. What was written in the last 420 ms would have been lost.',
      proof: '1,204,331 keys compared with the point, 0 different; 1 of 1 check of yours passed.',
    });
  });
  it('that failed is called so, with each step that did', () => {
    const { tone, label, findings } = drillVerdict(sampleDrill({ broken: true, recoveryPointMs: 9000 }));
    expect([tone, label]).toEqual(['bad', 'Failed']);
    expect(findings).toEqual([
      'Check cart: exit code 1: 3 carts broken.',
      'Objective recovery point: 9.0 s, more than the 5.0 s of drill.objectives.',
    ]);
  });
  it('of a part is no success of the whole', () => {
    const { tone, label, sentence } = drillVerdict(sampleDrill({ part }));
    expect([tone, label]).toEqual(['caution', 'Passed, for a part']);
    expect(sentence).toContain('1 of 3 shards (shard-2) of orders, with 401,444 keys, came back');
  });
  it('that restored nothing says that', () => {
    const steps = [{ name: 'restore', result: 'failed' as const, tookMs: 3, found: 'Damaged: it is cut' }];
    const failed = { ...sampleDrill(), steps, passed: false };
    delete failed.recoveryTime;
    const verdict = drillVerdict(failed);
    expect(verdict.sentence).toMatch(/^orders was not brought back\. /);
    expect(verdict.findings).toEqual(['Restore: Damaged: it is cut.']);
  });
});

describe('the restore in words', () => {
  it('says what came back, and that all of it was compared', () => {
    expect(restoreVerdict(sampleRestore('completed'))).toMatchObject({ tone: 'good', label: 'Restored' });
    expect(restoreVerdict(sampleRestore('completed')).proof).toMatch(
      /1,207,626 keys compared with the point, none different/,
    );
  });
  it('names what differs, and does not call it a plain success', () => {
    const { tone, label, findings } = restoreVerdict(sampleRestore('differs'));
    expect([tone, label]).toEqual(['caution', 'Restored, with differences']);
    expect(findings.join(' ')).toContain('6 other than in it');
  });
  it('that stopped says where everything stands', () => {
    expect(restoreVerdict(sampleRestore('stopped'))).toMatchObject({
      ...{ tone: 'bad', label: 'Stopped', statement: expect.stringContaining('What was written stays') as string },
    });
  });
});

describe('the trend', () => {
  const scale = timeScale(0, 10_000, []);
  const heightsOf = (text: string, mark: string): number[] =>
    [...text.matchAll(new RegExp(`class="${mark}"[^]*?\\by1="([\\d.]+)"`, 'g'))].map(([, y]) => Number(y));
  it('has one to three round marks above nothing, whatever is measured', () => {
    fc.assert(
      fc.property(fc.double({ min: 1, max: 1e12, noNaN: true }), (most) => {
        const ticks = durationTicks(most);
        expect(ticks.length).toBeGreaterThanOrEqual(1);
        expect(ticks.length).toBeLessThanOrEqual(3);
        for (const tick of ticks) expect(tick).toBeLessThanOrEqual(most);
      }),
    );
  });
  it('draws a longer time higher, an objective where it is, and tells one that lies far above', () => {
    const at = (n: number, ms: number, objectiveMs: number): TrendPoint => ({
      ...{ at: n * 1000, ms, objectiveMs, kind: 'passed', note: '' },
    });
    const near = trendChart('x', [at(1, 100, 150), at(2, 200, 150)], scale).text;
    const [objective] = heightsOf(near, 'objective');
    const points = [...near.matchAll(/class="point passed"[^]*?\by="([\d.]+)"/g)].map(([, y]) => Number(y));
    expect(points[1]).toBeLessThan(objective ?? NaN);
    expect(points[0]).toBeGreaterThan(objective ?? NaN);
    const far = trendChart('x', [at(1, 100, 100_000)], scale).text;
    expect(heightsOf(far, 'objective')).toEqual([]);
    expect(far).toMatch(/objective 1 min 40 s[^]*far above/);
  });
  it('of drills leads no line to those of a part, and crosses those that failed', () => {
    const page = renderDrill(sampleDrills()).text;
    const time = page.slice(page.indexOf('>Recovery time</span'), page.indexOf('>Recovery point</span'));
    expect(time.match(/class="point part"/g)).toHaveLength(1);
    expect(time.match(/class="point failed"/g)).toHaveLength(1);
    expect(time.match(/class="curve"/g)).toHaveLength(12);
  });
});

describe('in a browser', () => {
  let browser: Browser;
  let folder: string;
  beforeAll(async () => {
    browser = await launchChromium();
    folder = await mkdtemp(join(tmpdir(), 'rollout-drill-report-'));
  });
  afterAll(async () => {
    await browser.close();
    await rm(folder, { recursive: true, force: true });
  });
  const poisoned = sampleDrills({ broken: true });
  for (const step of poisoned.drill.steps) step.found += hostile;
  const pages: Record<string, () => string> = {
    drill: () => renderDrill(sampleDrills()).text,
    'the first drill, of a part, without failures': () => {
      const drill = sampleDrill({ part, failures: false, by: 'backup' });
      return renderDrill({ generatedAt: drill.endedAt, drill, drills: [drill] }).text;
    },
    'a failed drill, with hostile text': () => renderDrill(poisoned).text,
    rehearsal: () => renderStaging(sampleStagingReport()).text,
    'a failed rehearsal, with hostile text': () => renderStaging(failedStaging(hostile)).text,
    restored: () => renderReport(sampleRestore('completed')),
    'restored with differences': () => renderReport(sampleRestore('differs')),
    loading: () => renderReport(sampleRestore('loading')).replace('content="5"', 'content="600"'),
    'stopped restore': () => renderReport(sampleRestore('stopped')),
  };
  it.each(Object.keys(pages))('%s: is sound and readable', async (name) => {
    const file = join(folder, `${name.replaceAll(/\W/g, '-')}.html`);
    await writeFile(file, pages[name]?.() ?? '');
    await using opened = await openPage(browser, file);
    await opened.page.waitForSelector('th button', { state: 'attached' });
    await expectReadable(opened);
    expect(await opened.page.evaluate('window.owned')).toBeUndefined();
  });
});
