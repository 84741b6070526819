import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ReportData } from '../../../model/report.js';
import { renderReport } from '../../../model/report/render-report.js';
import { launchChromium } from './chromium.js';
import { hostileReport } from './hostile.js';
import { expectReadable, openPage, type Opened } from './looks.js';
import { sampleFallback } from './sample-fallback.js';
import { sampleReport } from './sample.js';

const reports: Record<string, ReportData> = {
  completed: sampleReport({ outcome: 'completed' }),
  stopped: sampleReport({ outcome: 'stopped' }),
  running: sampleReport({ outcome: 'running' }),
  waiting: sampleReport({ outcome: 'waiting' }),
  fellBack: sampleFallback(),
  unprobed: sampleReport({ outcome: 'completed', probe: false }),
  hundred: sampleReport({ outcome: 'completed', shards: 100, parallel: 6, canarySoak: 600, soak: 900 }),
};

describe('the report in a browser', () => {
  let browser: Browser;
  let folder: string;
  beforeAll(async () => {
    browser = await launchChromium();
    folder = await mkdtemp(join(tmpdir(), 'rollout-report-'));
  });
  afterAll(async () => {
    await browser.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function open(
    name: string,
    data: ReportData,
    scheme: 'light' | 'dark',
    width: number,
    scripts = true,
  ): Promise<Opened> {
    const file = join(folder, `${name}.html`);
    // A report that renews itself in the middle of a check would pull the page from under it.
    await writeFile(
      file,
      renderReport(data).replace('http-equiv="refresh" content="5"', 'http-equiv="refresh" content="600"'),
    );
    const opened = await openPage(browser, file, { scheme, width, scripts });
    // Where the script runs, its ordering buttons are the last thing but one that it adds.
    if (scripts && data.releases.length > 0) await opened.page.waitForSelector('th button', { state: 'attached' });
    return opened;
  }

  it.each(Object.keys(reports))('%s: is sound and readable', async (name) => {
    await using opened = await open(name, reports[name] as ReportData, 'light', 1280);
    const { page } = opened;
    await expectReadable(opened, async ({ width }) => {
      const verdict = await page.locator('h1').boundingBox();
      expect((verdict?.y ?? 0) + (verdict?.height ?? 1e9)).toBeLessThan(width < 500 ? 844 : 800);
    });
  });

  it('draws every step, handover, series and gap', async () => {
    const data = reports['completed'] as ReportData;
    await using opened = await open('marks', data, 'light', 1280);
    const { page } = opened;
    const marks = (selector: string) => page.locator(selector).count();
    const nodes = data.status.shards.flatMap((shard) => shard.nodes);
    const onNodes = data.timeline.filter((e) => e.node !== undefined && e.until !== undefined);
    expect(await marks('#timeline ~ .chart .node-row')).toBe(nodes.length);
    expect(await marks('.node-lane .bar:not(.wait)')).toBe(onNodes.length);
    expect(await marks('.node-lane .bar.swap')).toBe(nodes.length);
    // One line through the shard's lane, and one through the lane of each of its nodes.
    expect(await marks('#timeline ~ .chart .handover')).toBe(data.handovers.length * 3);
    expect(await marks('svg.latency')).toBe(data.probe?.series.length);
    const gaps = data.probe?.series.reduce((sum, series) => sum + series.gaps.length, 0);
    expect(await marks('svg.gaps .gap')).toBe(gaps);
    expect(await marks('svg.gaps .annotation')).toBe(data.status.shards.length);
    expect(await marks('.moment.control')).toBe(data.timeline.filter((e) => e.kind === 'control').length);
    const points = await page.locator('svg.latency path.p99').first().getAttribute('d');
    expect(points?.match(/[ML]/g)).toHaveLength(data.probe?.series[0]?.seconds.length ?? -1);
  });

  it('blames the longest gap on the handover', async () => {
    const data = reports['completed'] as ReportData;
    await using opened = await open('blame', data, 'light', 1280);
    for (const text of await opened.page.locator('svg.gaps .annotation').allTextContents())
      expect(text).toMatch(/ms\s+hand over/);
  });

  it('marks the failure of a stopped upgrade, and gives the command that goes on', async () => {
    await using opened = await open('stop', reports['stopped'] as ReportData, 'light', 1280);
    expect(await opened.page.locator('.moment.failure').count()).toBeGreaterThan(0);
    expect(await opened.page.locator('.next code').allTextContents()).toEqual(['rollout start orders --to 8.0']);
  });

  it('renews itself while the operation runs, and not afterwards', async () => {
    const file = join(folder, 'renewed.html');
    await writeFile(file, renderReport(reports['waiting'] as ReportData));
    const page = await browser.newPage();
    await page.goto(pathToFileURL(file).href);
    const renewed = page.waitForEvent('load', { timeout: 20_000 });
    await writeFile(file, renderReport(reports['completed'] as ReportData));
    await renewed;
    expect(await page.locator('.verdict-label').textContent()).toBe('Completed');
    expect(await page.locator('meta[http-equiv=refresh]').count()).toBe(0);
    await page.close();
  });

  it('folds a hundred shards, the worst one open and first', async () => {
    const data = reports['hundred'] as ReportData;
    await using opened = await open('fold', data, 'light', 1280);
    const { page } = opened;
    expect(await page.locator('details.shard-details').count()).toBe(100);
    expect(await page.locator('details.shard-details[open]').count()).toBe(1);
    const worst = [...(data.probe?.series ?? [])]
      .filter((s) => s.operation === 'write')
      .sort((a, b) => b.longestGap.ms - a.longestGap.ms)[0];
    expect(await page.locator('details.shard-details summary strong').first().textContent()).toBe(worst?.shard);
    await page.evaluate("location.hash = '#shard-shard-50'");
    await page.waitForSelector('details[id="shard-shard-50"][open]');
  });

  it('orders a table by a head that is pressed', async () => {
    await using opened = await open('order', reports['completed'] as ReportData, 'light', 1280);
    const tableOfShards = opened.page.locator('table', { hasText: 'Each shard, worst first' });
    const firstCells = () => tableOfShards.locator('tbody td:first-child').allTextContents();
    await tableOfShards.getByRole('button', { name: 'Shard', exact: true }).click();
    expect((await firstCells()).map((text) => text.trim())).toEqual(['shard-1', 'shard-2', 'shard-3']);
    await tableOfShards.getByRole('button', { name: 'Shard', exact: true }).click();
    expect((await firstCells()).map((text) => text.trim())).toEqual(['shard-3', 'shard-2', 'shard-1']);
  });

  it('tells a second’s figures under the pointer', async () => {
    await using opened = await open('hover', reports['completed'] as ReportData, 'light', 1280);
    await opened.page.locator('svg.latency').first().hover();
    expect(await opened.page.locator('.readout').textContent()).toMatch(
      /^09:1\d:\d\d {2}p50 0\.\d\d ms {2}p99 .* 50 ok$/,
    );
  });

  it('is complete without scripts', async () => {
    await using opened = await open('plain', reports['completed'] as ReportData, 'light', 1280, false);
    expect(await opened.page.locator('h1').textContent()).toContain('none lost');
    expect(await opened.page.locator('svg.latency path.p50').count()).toBe(12);
  });

  it('runs nothing that a comment, a key or a name smuggles in', async () => {
    await using opened = await open('hostile', hostileReport(), 'dark', 390);
    const { page, complaints, requests } = opened;
    expect(await page.evaluate('window.owned')).toBeUndefined();
    expect(await page.locator('img').count()).toBe(0);
    expect(complaints).toEqual([]);
    expect(requests).toHaveLength(1);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390);
  });

  it('hands the data to machines as it was', async () => {
    const data = hostileReport();
    await using opened = await open('data', data, 'light', 1280);
    const text = await opened.page.locator('script#report-data').textContent();
    const embedded = JSON.parse(text ?? '') as ReportData;
    expect(embedded.status).toEqual(JSON.parse(JSON.stringify(data.status)));
    expect(embedded.probe?.ledger).toEqual(data.probe?.ledger);
  });
});
