import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { expect } from 'vitest';
import { contrastProblems } from './contrast.js';

export interface Opened extends AsyncDisposable {
  page: Page;
  /** What the console was told. */
  complaints: string[];
  /** Addresses that were asked for. */
  requests: string[];
}

interface Look {
  scheme: 'light' | 'dark';
  /** px */
  width: number;
}

const heightAt = (width: number): number => (width < 500 ? 844 : 800);
const LOOKS: readonly Look[] = (['light', 'dark'] as const).flatMap((scheme) =>
  [1280, 390].map((width) => ({ scheme, width })),
);

/** A page of a file, in a context of its own. */
export async function openPage(
  browser: Browser,
  file: string,
  { scheme, width, scripts = true }: Look & { scripts?: boolean } = { scheme: 'light', width: 1280 },
): Promise<Opened> {
  const viewport = { width, height: heightAt(width) };
  const context = await browser.newContext({ colorScheme: scheme, viewport, javaScriptEnabled: scripts });
  const page = await context.newPage();
  const [complaints, requests]: [string[], string[]] = [[], []];
  page.on('console', (message) => complaints.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => requests.push(request.url()));
  await page.goto(pathToFileURL(file).href);
  return { page, complaints, requests, [Symbol.asyncDispose]: () => context.close() };
}

/** On a screen and on a telephone, in light and dark: it complains of nothing, asks for nothing, fits, and can be read. */
export async function expectReadable({ page, complaints, requests }: Opened, alsoAt?: (look: Look) => Promise<void>) {
  for (const look of LOOKS) {
    const { scheme, width } = look;
    await page.emulateMedia({ colorScheme: scheme });
    await page.setViewportSize({ width, height: heightAt(width) });
    await page.evaluate('scrollTo(0, 0)');
    const where = `${scheme} at ${width}`;
    expect(await page.evaluate('document.documentElement.scrollWidth'), where).toBeLessThanOrEqual(width);
    await alsoAt?.(look);
    expect(await page.evaluate(`(${contrastProblems})(4.5)`), where).toEqual([]);
  }
  expect(complaints).toEqual([]);
  expect(requests).toHaveLength(1);
  expect(requests[0]).toMatch(/^file:/);
}
